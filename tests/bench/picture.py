"""Takes the README's picture of ``ocrwatch status --watch``:  python -m tests.bench.picture FILE --folder DIR.

Runs the real daemon in an empty folder on scans that are rendered for it, waits until there is something to see, and
writes what a terminal shows then. The folder's name is in the picture: ``/srv/scans`` looks best.
"""

from __future__ import annotations

import argparse
import io
import json
import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from ocrwatch.commands.status import look
from ocrwatch.commands.status_view import Seen, view
from ocrwatch.settings.load import load
from tests.daemon_process import DaemonProcess
from tests.system.dropping import put, scan
from tests.system.pausing import bad_scan
from tests.waiting import until

_CONFIG = """
[[profiles]]
match = "invoices/**"
[profiles.output]
formats = ["txt", "json"]
"""
_COLUMNS = 104
_FONTS = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)


def main() -> None:
    """Run, look, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    picture, folder = arguments.picture.absolute(), arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    with DaemonProcess(folder, "--workers", "2", config=_CONFIG) as daemon:
        daemon.wait_ready()
        _feed(daemon)
        settings = load(folder / "ocrwatch.toml", {}, {}).settings
        seen = until(lambda: _worth_a_picture(look(settings)), 120, "there is something to see")
        assert seen is not None
    # No fonts from the network: a picture in a README loads nothing.
    frame = _FONTS.sub("", CONSOLE_SVG_FORMAT).replace("Fira Code", "ui-monospace, Menlo, Consolas")
    # The subjects' column is made of spaces.
    frame = frame.replace("<svg ", '<svg xml:space="preserve" ', 1)
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), highlight=False, soft_wrap=True)
    for line in view(seen):
        console.print(line, overflow="ellipsis", no_wrap=True)
    picture.write_text(console.export_svg(title="ocrwatch status --watch", code_format=frame), encoding="utf-8")
    print(json.dumps(list(view(seen)), indent=1))


def _feed(daemon: DaemonProcess) -> None:
    put(daemon.inbox, "letters/2026-11-20.jpg", bad_scan())
    put(daemon.inbox, "half.jpg", scan(1)[:900])
    daemon.wait_for("scan.quarantined")
    daemon.wait_for("scan.waiting", path="half.jpg")
    for number in range(40):
        name = f"invoices/{number + 1:03}.jpg" if number % 3 else f"letters/page{number + 1}.jpg"
        put(daemon.inbox, name, scan(number, 60))


def _worth_a_picture(seen: Seen) -> Seen | None:
    last = seen.last
    if last is None or len(last.being_read) < 2 or last.delivered < 12 or last.queued < 5:
        return None
    return seen


if __name__ == "__main__":
    main()
