"""What a user's script with pytesseract and a pool does:  python pytesseract_pool.py FOLDER PROCESSES LANGUAGES."""

from __future__ import annotations

import functools
import sys
from multiprocessing import get_context
from pathlib import Path

import pytesseract


def main() -> None:
    """Read the JPEGs of a folder; texts go beside them."""
    folder, processes, languages = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    with get_context("fork").Pool(processes) as pool:
        pool.map(functools.partial(read, languages), sorted(folder.glob("*.jpg")), chunksize=1)


def read(languages: str, scan: Path) -> None:
    """Read one scan. pytesseract is given its name, which spares it writing the pixels to a file of its own."""
    text = pytesseract.image_to_string(str(scan), lang=languages)  # type: ignore[attr-defined, no-untyped-call]
    scan.with_name(scan.name + ".txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
