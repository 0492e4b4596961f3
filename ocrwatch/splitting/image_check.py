"""Reads the image of a page for the daemon, which does not trust the process that wrote it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ocrwatch.errors import InternalFault
from ocrwatch.storage.files import folder, open_regular


def read_image(image: Path, size: int, sha256: str) -> bytes:
    """Return an image of this size and hash. A hostile file may have taken over the process that wrote it.

    Raises InternalFault if it is another file, and OSError.
    """
    with folder(image.parent, "") as directory, os.fdopen(open_regular(directory, image.name), "rb") as file:
        content = file.read(size + 1)
    if len(content) != size or hashlib.sha256(content).hexdigest() != sha256:
        raise InternalFault("the image of the page is another than the one that was split", "please report it")
    return content
