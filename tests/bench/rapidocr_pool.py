"""What a user's script with RapidOCR and a pool does:  python rapidocr_pool.py FOLDER PROCESSES LANGUAGES.

The package reads all of its languages with the same networks, so that LANGUAGES are not used.
"""

from __future__ import annotations

import functools
import sys
from multiprocessing import get_context
from pathlib import Path
from typing import Any


def main() -> None:
    """Read the JPEGs of a folder; texts go beside them."""
    folder, processes = Path(sys.argv[1]), int(sys.argv[2])
    with get_context("spawn").Pool(processes) as pool:
        pool.map(read, sorted(folder.glob("*.jpg")), chunksize=1)


def read(scan: Path) -> None:
    """Read one scan with the package's own settings."""
    found = _reader()(str(scan))
    scan.with_name(scan.name + ".txt").write_text("\n".join(found.txts or ()), encoding="utf-8")


@functools.cache
def _reader() -> Any:
    """Return the package's reader, on one thread: there is a process for each core."""
    from rapidocr import RapidOCR

    return RapidOCR(params={"EngineConfig.onnxruntime.intra_op_num_threads": 1, "Global.log_level": "error"})


if __name__ == "__main__":
    main()
