"""Draws bar codes and QR codes."""

from __future__ import annotations

from typing import Final

import numpy as np
import zxingcpp

from ocrwatch.document import CodeKind

Modules = tuple[tuple[bool, ...], ...]
"""Rows of a code from the top, each from the left: whether a module is black. The rows of a bar code are the same."""

_FORMATS: Final[dict[CodeKind, zxingcpp.BarcodeFormat]] = {
    "code128": zxingcpp.BarcodeFormat.Code128,
    "code39": zxingcpp.BarcodeFormat.Code39,
    "qr": zxingcpp.BarcodeFormat.QRCode,
}
_GRAY: Final = 128


def draw_code(kind: CodeKind, text: str) -> Modules:
    """Return the modules of a code without the white around it. A QR code can be read with 30 % of it spoiled."""
    options = {"ec_level": "H"} if kind == "qr" else {}
    barcode = zxingcpp.create_barcode(text, _FORMATS[kind], **options)
    image = np.asarray(zxingcpp.write_barcode_to_image(barcode, add_quiet_zones=False))
    rows = image if kind == "qr" else image[:1]
    return tuple(tuple(bool(module < _GRAY) for module in row) for row in rows)
