#!/bin/sh
# Writes deploy/constraints.txt anew: the newest releases that pyproject.toml allows, for the Pythons of Debian 12 and 13.
# Needs all of these Pythons, because pip answers for the one that it runs on:
#   sh deploy/update_constraints.sh && git diff deploy/constraints.txt && sh deploy/test.sh
set -eu
. "$(dirname -- "$0")/common.sh"

staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
mkdir "$staging/source"
copy_sources "$staging/source"
for version in $tested_pythons; do
    python=$(find_python "$version") || die "python$version is neither on the PATH nor among pyenv's -- install it"
    say "Asking pip for Python $version"
    "$python" -m venv "$staging/$version"
    "$staging/$version/bin/python" -m pip install --quiet --disable-pip-version-check \
        --dry-run --ignore-installed --report "$staging/$version.json" "$staging/source[dev]"
done
python3 "$source_folder/deploy/merge_reports.py" "$staging"/*.json >"$staging/constraints"
cp "$staging/constraints" "$source_folder/deploy/constraints.txt"
