"""Bar codes and QR codes for the tests, drawn where they are wanted."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ocrwatch.document import Box, CodeKind
from ocrwatch.recognise.code_drawing import draw_code


def code_image(kind: CodeKind, text: str, *, module: int = 4, height: int = 120) -> Image.Image:
    """Draw a code without white around it: ``module`` pixels for each of its modules, a bar code of this height."""
    modules = np.asarray(draw_code(kind, text))
    down = module if kind == "qr" else height
    return Image.fromarray(np.where(np.kron(modules, np.ones((down, module), bool)), 0, 255).astype(np.uint8))


def with_code(page: Image.Image, code: Image.Image, left: int, top: int) -> Box:
    """Put a code on a page with some white around it, and return its box."""
    page.paste(255, (left - 40, top - 40, left + code.width + 40, top + code.height + 40))
    page.paste(code, (left, top))
    return Box(left, top, left + code.width, top + code.height)
