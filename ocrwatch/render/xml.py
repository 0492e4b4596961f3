"""Builds XML documents with the standard library. Their text may contain any character."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET

_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow, not even as references (section 2.2)."""

Element = ET.Element
"""An element. Its attributes and text must have passed :func:`allowed`."""


def allowed(text: str) -> str:
    """Replace the characters that XML forbids by U+FFFD."""
    return _FORBIDDEN.sub("\ufffd", text)


def child(parent: Element, tag: str, text: str = "", /, **attributes: str | float | None) -> Element:
    """Append an element; attributes that are None are left out. A trailing underscore of a name is removed."""
    known = {
        name.rstrip("_"): allowed(value) if isinstance(value, str) else number(value)
        for name, value in attributes.items()
        if value is not None
    }
    element = ET.SubElement(parent, tag, known)
    if text:
        element.text = allowed(text)
    return element


def number(value: float) -> str:
    """Write a number without a needless fraction, the same on every machine."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def document(root: Element, prologue: str = "") -> bytes:
    """Return the document in UTF-8, one element to a line, with ``prologue`` between declaration and root."""
    ET.indent(root, " ")
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{prologue}{text}\n'.encode()
