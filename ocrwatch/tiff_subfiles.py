"""Tells which images of a TIFF file are pages (TIFF 6.0, NewSubfileType and SubfileType).

Others are masks, and copies of a page with a lower resolution. Some writers flag each page as such a copy, so the flag
counts only if the image is small enough for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

NEW_SUBFILE: Final = 254
OLD_SUBFILE: Final = 255

_REDUCED: Final = 1
_MASK: Final = 4
"""Flags of NewSubfileType."""
_OLD_REDUCED: Final = 2
"""A value of SubfileType."""


@dataclass(frozen=True, slots=True)
class Subfile:
    """What the directory of an image says of it."""

    width: int
    """Pixels; 0 if it is not known."""
    height: int
    new_kind: int = 0
    """NewSubfileType."""
    old_kind: int = 0
    """SubfileType, which TIFF 5.0 replaced."""

    @property
    def is_mask(self) -> bool:
        """Whether it is the transparency mask of another image."""
        return bool(self.new_kind & _MASK)

    @property
    def is_flagged(self) -> bool:
        """Whether it is said to be a copy with a lower resolution."""
        return bool(self.new_kind & _REDUCED) or self.old_kind == _OLD_REDUCED

    def may_be_copy_of(self, other: Subfile) -> bool:
        """Return whether it has at most half the width and half the height of another image, rounded up.

        That is the largest copy in an image pyramid. A page that is slightly smaller than the one before it is none.
        """
        sides = ((self.width, other.width), (self.height, other.height))
        return all(0 < side <= -(-whole // 2) for side, whole in sides)


def pages_of(images: Sequence[Subfile]) -> list[int]:
    """Return the indices of the images that are pages.

    A copy comes after its page, and before the first page of all in some files.
    """
    last = next((image for image in images if not image.is_mask and not image.is_flagged), None)
    found: list[int] = []
    for index, image in enumerate(images):
        if image.is_mask or (image.is_flagged and last is not None and image.may_be_copy_of(last)):
            continue
        last = image
        found.append(index)
    return found
