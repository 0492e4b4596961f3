#!/bin/sh
# Format, lint, types and layers; the same for the pre-commit hook and for CI.
set -eu
cd "$(dirname -- "$0")/.."
ruff format --check .
ruff check .
mypy
lint-imports
