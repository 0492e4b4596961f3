"""Checks without decoding whether a file is a whole image of a kind that is read."""

from __future__ import annotations

import enum
import os
from typing import Final

from ocrwatch.intake import jpeg, pdf, png, tiff
from ocrwatch.magic import HEAD, ImageKind, image_kind, may_become_image

_IS_WHOLE: Final = {
    ImageKind.JPEG: jpeg.is_whole,
    ImageKind.PNG: png.is_whole,
    ImageKind.TIFF: tiff.is_whole,
    ImageKind.PDF: pdf.is_whole,
}


class Completeness(enum.Enum):
    """Result of a check of a file's structure."""

    WHOLE = "whole"
    EMPTY = "empty"
    PARTIAL = "incomplete"
    OTHER = "another kind of file"


def completeness(descriptor: int, size: int) -> Completeness:
    """Check the file of ``size`` bytes.

    Reads a few hundred bytes of an ordinary file. A file that is truncated meanwhile is incomplete.
    """
    if size == 0:
        return Completeness.EMPTY
    head = os.pread(descriptor, HEAD, 0)
    kind = image_kind(head)
    if kind is None:
        return Completeness.PARTIAL if may_become_image(head) else Completeness.OTHER
    if _has_hole(descriptor, size) or not _IS_WHOLE[kind](descriptor, size):
        return Completeness.PARTIAL
    return Completeness.WHOLE


def has_pages(descriptor: int, size: int) -> bool:
    """Return whether the file of ``size`` bytes is split into pages: a PDF, or a TIFF with two pages or more."""
    kind = image_kind(os.pread(descriptor, HEAD, 0))
    return kind is ImageKind.PDF or (kind is ImageKind.TIFF and tiff.has_pages(descriptor, size))


def _has_hole(descriptor: int, size: int) -> bool:
    """Return whether a part of the file is reserved but not written, if the file system knows (lseek(2))."""
    try:
        return os.lseek(descriptor, 0, os.SEEK_HOLE) < size
    except OSError:
        return False
