"""What a disk refuses is no fault of a page."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.errors import TooLarge
from ocrwatch.splitting.image_file import ImageFolder, NotWritten
from tests.images import pages
from tests.pdf_files import Sheet, made
from tests.unit.splitting.splitting import opened


def refusing(number: int) -> Any:
    """Return a system call that always fails."""

    def call(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return call


def test_a_full_disk_leaves_no_part_of_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its error says so."""
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", refusing(errno.ENOSPC))
            with pytest.raises(NotWritten) as raised, ImageFolder(folder, "a").create(1, "png") as file:
                file.write(b"image")
        assert raised.value.error.errno == errno.ENOSPC
        assert not list(tmp_path.iterdir())
        with ImageFolder(folder, "a").create(1, "png") as file:
            file.write(b"image")
        assert (tmp_path / "a-1.png").read_bytes() == b"image"
    finally:
        os.close(folder)


def test_an_image_beyond_the_limit_of_the_process_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is the page's fault, since no image that is wanted takes so much."""
    folder = os.open(tmp_path, os.O_RDONLY)
    monkeypatch.setattr(os, "write", refusing(errno.EFBIG))
    try:
        with pytest.raises(TooLarge), ImageFolder(folder, "a").create(1, "png") as file:
            file.write(b"image")
    finally:
        os.close(folder)


@pytest.mark.parametrize(
    "data", [pages(2), made([Sheet("0 0 9 9 re f " * 20_000)], compress_streams=False)], ids=["tiff", "pdf"]
)
def test_a_file_that_cannot_be_read_is_not_damaged(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise pdfium would take what is missing for empty."""
    with opened(data) as split:
        monkeypatch.setattr(os, "pread", refusing(errno.EIO))
        with pytest.raises(OSError, match="Input/output"):
            split.page()
    monkeypatch.undo()
    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", refusing(errno.EIO))
        with pytest.raises(OSError, match="Input/output"), opened(data):
            pass
