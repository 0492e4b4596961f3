"""Reads the XML sidecars of pages, whose elements have one namespace, and writes elements into a larger document."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final
from xml.etree import ElementTree as ET

from ocrwatch.render.joining.base import DamagedPart
from ocrwatch.render.xml import Element

DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


def part_of(content: bytes, number: int, namespace: str) -> Element:
    """Return the root of a page's sidecar; the names of its elements are without the namespace."""
    with _blaming(number):
        # One of our own files; expat limits the expansion of entities (2.4).
        root = ET.fromstring(content)  # noqa: S314
    return _local(root, number, namespace)


def head_of(content: bytes, number: int, namespace: str, until: str) -> Element:
    """Return the root of a page's sidecar with what is in it before the element ``until``."""
    root: Element | None = None
    with _blaming(number):
        for _, element in ET.iterparse(io.BytesIO(content), ["start"]):  # noqa: S314 - as above
            root = element if root is None else root
            if element.tag == f"{{{namespace}}}{until}":
                root.remove(element)
                return _local(root, number, namespace)
    raise DamagedPart(number, f"it has no element {until}")


def only(parent: Element, path: str, number: int) -> Element:
    """Return the only element of this path below ``parent``."""
    found = parent.findall(path)
    if len(found) != 1:
        raise DamagedPart(number, f"it has {len(found)} elements {path}")
    return found[0]


def write_opened(root: Element, file: BinaryIO, prologue: str = "") -> None:
    """Write declaration, prologue and the start of the root."""
    started = ET.tostring(root, encoding="unicode", short_empty_elements=False).removesuffix(f"</{root.tag}>")
    file.write(f"{DECLARATION}{prologue}{started}\n".encode())


def write_element(element: Element, level: int, file: BinaryIO) -> None:
    """Write an element on lines of its own; ``level`` is how deep it is. Its children are laid out already."""
    element.tail = "\n"
    file.write((" " * level + ET.tostring(element, encoding="unicode")).encode())


def write_laid_out(element: Element, level: int, file: BinaryIO) -> None:
    """Write an element that was made here, one element to a line."""
    ET.indent(element, " ", level)
    write_element(element, level, file)


def _local(root: Element, number: int, namespace: str) -> Element:
    before = f"{{{namespace}}}"
    for element in root.iter():
        if not element.tag.startswith(before):
            raise DamagedPart(number, f"it has an element {element.tag}")
        element.tag = element.tag.removeprefix(before)
    return root


@contextmanager
def _blaming(number: int) -> Iterator[None]:
    try:
        yield
    except (ET.ParseError, LookupError, ValueError) as error:
        raise DamagedPart(number, f"it cannot be parsed ({error})") from error
