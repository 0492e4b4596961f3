"""The daemon reads images that a process wrote which a hostile file may have taken over."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ocrwatch.errors import InternalFault
from ocrwatch.splitting.image_check import read_image

CONTENT = b"an image"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def test_the_image_that_was_split_is_read(tmp_path: Path) -> None:
    """It has the size and the hash that were told."""
    (tmp_path / "1-1.png").write_bytes(CONTENT)
    assert read_image(tmp_path / "1-1.png", len(CONTENT), SHA256) == CONTENT


@pytest.mark.parametrize("content", [b"", b"an imagE", b"an image and more", CONTENT[:-1]])
def test_another_image_is_refused(tmp_path: Path, content: bytes) -> None:
    """However it differs; not more of it is read than was told."""
    (tmp_path / "1-1.png").write_bytes(content)
    with pytest.raises(InternalFault):
        read_image(tmp_path / "1-1.png", len(CONTENT), SHA256)


def test_links_and_pipes_are_not_opened(tmp_path: Path) -> None:
    """A link could show another file of the daemon, and a pipe would hang it."""
    (tmp_path / "secret").write_bytes(CONTENT)
    (tmp_path / "1-1.png").symlink_to("secret")
    os.mkfifo(tmp_path / "1-2.png")
    for name in ("1-1.png", "1-2.png"):
        with pytest.raises(OSError, match=name):
            read_image(tmp_path / name, len(CONTENT), SHA256)
