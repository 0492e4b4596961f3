"""Decodes files that violate the standard but that devices write and viewers show.

Deviations become warnings. Only the header may deviate, since that does not change pixels; image data is decoded
strictly.
"""

from __future__ import annotations

from dataclasses import replace

from ocrwatch import jpeg_markers
from ocrwatch.errors import Damaged
from ocrwatch.recognise.jpeg_surplus import decode_without_surplus
from ocrwatch.recognise.missing_image_data import find_hole, zeros_at_end
from ocrwatch.recognise.strict_decoder import DecoderError, Gray, decode_strictly

_MOST_ZEROS_OF_DATA = 2
"""Zero bytes that may end valid image data: the end of the last block, and the byte stuffed after 0xFF."""

_RESCAN = "scan the page again, or copy the file again from where it came from"


def is_plain(structure: jpeg_markers.Structure) -> bool:
    """Return whether the structure is free of deviations."""
    return structure.end is not None and not structure.odd and not structure.lines


def decode_leniently(
    jpeg: bytes, structure: jpeg_markers.Structure, *, reduction: int, max_pixels: int
) -> tuple[Gray, tuple[str, ...]]:
    """Decode an image that has a frame and a scan; return its pixels and warnings.

    It is decoded at 1 / ``reduction`` of its size. Raises :class:`DecoderError` or Damaged.
    """
    frame = structure.sure_frame
    zeros = zeros_at_end(jpeg, structure)
    if structure.end is not None:
        _refuse_holes(jpeg, _shorter(structure, zeros))
    odd_fields: DecoderError | None = None
    if is_plain(structure) and not zeros:
        try:
            return decode_strictly(jpeg, frame.width, frame.height, reduction), ()
        except DecoderError as error:
            if error.is_premature_end:
                raise
            odd_fields = error
    warnings = list(_structure_warnings(structure))
    if zeros:
        gray, used = _without_zeros(jpeg, structure, zeros, reduction)
        warnings.append(f"{zeros:,} zeros after the last row of the image")
    else:
        tidy = jpeg_markers.rebuilt(jpeg, structure)
        used = structure
        try:
            gray = decode_strictly(tidy, frame.width, structure.height, reduction)
        except DecoderError as error:
            behind = b"" if structure.end is not None else jpeg[structure.stop :]
            found = decode_without_surplus(tidy, error, behind=behind, reduction=reduction, max_pixels=max_pixels)
            gray, used = found.gray, _shorter(structure, found.surplus)
            warnings.append(found.warning)
            if str(error) == str(odd_fields):
                odd_fields = None
    if structure.end is None:
        _refuse_holes(jpeg, used)
    return gray, (*((_header_warning(odd_fields),) if odd_fields else ()), *warnings)


def _refuse_holes(jpeg: bytes, structure: jpeg_markers.Structure) -> None:
    if (hole := find_hole(jpeg, structure)) is not None:
        raise _hole(hole)


def _hole(offset: int) -> Damaged:
    return Damaged(f"a part of the image data is missing: there are only zeros from byte {offset:,} on", _RESCAN)


def _shorter(structure: jpeg_markers.Structure, by: int) -> jpeg_markers.Structure:
    """Return the structure with ``by`` bytes less in the last scan's data."""
    *before, last = structure.segments
    return replace(structure, segments=(*before, replace(last, data_end=last.data_end - by)))


def _without_zeros(
    jpeg: bytes, structure: jpeg_markers.Structure, zeros: int, reduction: int
) -> tuple[Gray, jpeg_markers.Structure]:
    """Decode an image without the zeros at the end of its data.

    They are padding, or space for data that was never written.
    """
    frame = structure.sure_frame
    for kept in range(_MOST_ZEROS_OF_DATA + 1):
        shorter = _shorter(structure, zeros - kept)
        try:
            gray = decode_strictly(jpeg_markers.rebuilt(jpeg, shorter), frame.width, structure.height, reduction)
        except DecoderError as error:
            last = error
            if not error.is_premature_end:
                raise
        else:
            return gray, shorter
    if structure.end is not None:
        raise _hole(structure.segments[-1].data_end - zeros)
    raise last


def _structure_warnings(structure: jpeg_markers.Structure) -> tuple[str, ...]:
    found = []
    if structure.odd:
        found.append("bytes between the header's segments, or one with a wrong length")
    if structure.lines:
        found.append("the height is given after the image, in a DNL marker")
    if structure.end is None:
        found.append("no end marker; all rows of the image are there")
    return tuple(found)


def _header_warning(error: DecoderError) -> str:
    """Return the warning for an error that disappeared with a rebuilt header."""
    return "a broken colour profile" if "ICC" in str(error) else "non-standard header fields"
