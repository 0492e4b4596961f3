"""Detects further images in a JPEG file.

A second page is reported; a camera's preview is not.
"""

from __future__ import annotations

import re

from ocrwatch import jpeg_markers

_SHORTEST_PAGE = 500
"""Minimum long side of a page in pixels; smaller images are thumbnails (a receipt at 100 dpi has 800)."""

_SMALLER = 0.5
_SAME_SHAPE = 0.03
_MOST = 1000
_GAP = re.compile(rb"[\x00\xff\r\n]*(?=\xff\xd8\xff)")
"""Bytes between two pages that software has written into one file: nothing, or padding."""

_APP2 = 0xE2
_CONTAINER = re.compile(rb"GContainer|hdrgm:|GCamera:")


def extra_pages_warning(jpeg: bytes, first: jpeg_markers.Structure) -> str:
    """Return a warning about pages after the ``first`` image; empty if there are none.

    Phones and cameras store previews, depth maps and gain maps after a photograph, and declare them in its header: in a
    multi-picture index (CIPA DC-007) or in XMP (Google's containers). Without a declaration, an image that follows
    directly is another page, unless it is much smaller and of the same shape, as a preview. Never raises.
    """
    if first.frame is None or _declares_extra_images(jpeg, first):
        return ""
    pages: list[tuple[int, int, int]] = []
    at = first.stop + len(jpeg_markers.EOI) if first.end is not None else first.stop
    while (gap := _GAP.match(jpeg, at)) is not None and len(pages) < _MOST:
        image = jpeg_markers.walk(jpeg, gap.end())
        if image.frame is None or image.scan is None:
            break
        if _is_page(image, first):
            pages.append((gap.end(), image.frame.width, image.height))
        at = image.stop + len(jpeg_markers.EOI) if image.end is not None else image.stop
    if not pages:
        return ""
    offset, width, height = pages[0]
    what = "a second image" if len(pages) == 1 else f"{len(pages)} more images"
    which = "" if len(pages) == 1 else ", the first of them"
    return f"{what} in the file, not read{which}: {width} x {height} pixels, from byte {offset:,} on"


def _declares_extra_images(jpeg: bytes, first: jpeg_markers.Structure) -> bool:
    """Return whether the header declares what follows as parts of a photograph."""
    for segment in first.segments:
        body = jpeg[segment.start + 4 : segment.end] if segment.marker in {_APP2, jpeg_markers.APP1} else b""
        if body.startswith(b"MPF\0") or (body.startswith(b"http://ns.adobe.com/") and _CONTAINER.search(body)):
            return True
    return False


def _is_page(image: jpeg_markers.Structure, first: jpeg_markers.Structure) -> bool:
    if image.frame is None or first.frame is None:
        return False
    width, height = image.frame.width, image.height
    if max(width, height) < _SHORTEST_PAGE:
        return False
    across, down = width / max(1, first.frame.width), height / max(1, first.height)
    return max(across, down) > _SMALLER or abs(across - down) > _SAME_SHAPE * max(across, down)
