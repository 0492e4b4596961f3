"""A program for hooks that keeps what it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

KEEP_FACTS = """#!/bin/sh
cat > "$1/.$$" && mv "$1/.$$" "$1/$2$$-$(date +%s%N).json"
"""
"""Keeps standard input in a file of its own in the folder named first; its name begins with the second argument."""


def hook_program(folder: Path, name: str, script: str = KEEP_FACTS) -> Path:
    """Make a program in ``folder``, and return its path."""
    path = folder / name
    path.write_text(script)
    path.chmod(0o755)
    return path


def kept_facts(folder: Path) -> list[dict[str, Any]]:
    """Return what :data:`KEEP_FACTS` kept in a folder."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
