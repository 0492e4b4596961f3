"""Print constraints for pip from reports of ``pip install --report``, one for each Python."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

_HEADER = """\
# What the tests are run with, so that a new release of a tool cannot break them unseen. Written by
# deploy/update_constraints.sh. Users get the newest releases that pyproject.toml allows."""


def _main(reports: list[Path]) -> None:
    by_python = dict(sorted(map(_releases, reports)))
    print(_HEADER)  # noqa: T201
    for name in sorted(set().union(*by_python.values())):
        for line in _lines(name, {python: releases.get(name) for python, releases in by_python.items()}):
            print(line)  # noqa: T201


def _releases(report: Path) -> tuple[tuple[int, ...], dict[str, str]]:
    """Return the Python of a report, and the releases that pip would install for it by name."""
    content = json.loads(report.read_text())
    python = tuple(map(int, content["environment"]["python_version"].split(".")))
    found = [each["metadata"] for each in content["install"] if each["metadata"]["name"] != "ocrwatch"]
    return python, {re.sub(r"[-_.]+", "-", each["name"]).lower(): each["version"] for each in found}


def _lines(name: str, releases: dict[tuple[int, ...], str | None]) -> list[str]:
    """Return one line if a release holds for all Pythons, else one for each Python that needs the package.

    What holds for a Python holds until the next one that was asked, as the line's marker says.
    """
    if len(set(releases.values())) == 1:
        return [f"{name}=={next(iter(releases.values()))}"]
    pythons = [".".join(map(str, python)) for python in releases]
    lines = []
    for place, release in enumerate(releases.values()):
        since = [f'python_version >= "{pythons[place]}"'] if place else []
        before = [f'python_version < "{each}"' for each in pythons[place + 1 : place + 2]]
        if release is not None:
            lines.append(f"{name}=={release}; {' and '.join(since + before)}")
    return lines


if __name__ == "__main__":
    _main([Path(argument) for argument in sys.argv[1:]])
