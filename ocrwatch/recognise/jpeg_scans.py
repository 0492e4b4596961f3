"""Checks that an image has all its scans.

A decoder shows an image without its last scans as a blurred or pale page.
"""

from __future__ import annotations

from ocrwatch import jpeg_markers

_COEFFICIENTS = 64


def is_complete(jpeg: bytes, structure: jpeg_markers.Structure) -> bool:
    """Return whether the scans provide all bits of all components' coefficients.

    T.81, G.1.1.1: in progressive images, each of the 64 coefficients comes first in a scan that omits ``Al`` bits, then
    with one more bit in each further scan. Only sequential and progressive images are checked.
    """
    frame = structure.frame
    if frame is None or frame.process not in jpeg_markers.SEQUENTIAL | jpeg_markers.PROGRESSIVE:
        return True
    missing_bits = {part.identifier: [1] * _COEFFICIENTS for part in frame.parts}
    for segment in structure.segments:
        if segment.marker == jpeg_markers.SOS:
            _count(jpeg[segment.start + 4 : segment.end], missing_bits, whole=frame.process in jpeg_markers.SEQUENTIAL)
    return not any(any(bits) for bits in missing_bits.values())


def _count(header: bytes, missing_bits: dict[int, list[int]], *, whole: bool) -> None:
    """Record what a scan provides: ``whole`` components, or a band of coefficients."""
    first, last, approximation = header[-3:]
    band = range(_COEFFICIENTS) if whole else range(first, min(last, _COEFFICIENTS - 1) + 1)
    for component in header[1 : 1 + 2 * header[0] : 2]:
        for coefficient in band if component in missing_bits else ():
            missing_bits[component][coefficient] = 0 if whole else approximation & 0xF
