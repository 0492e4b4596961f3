"""The formats of cells of several workbooks, each once. A cell refers to its format by its place in the list."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree as ET

from ocrwatch.render.joining.base import DamagedPart
from ocrwatch.render.xml import Element, child

_LISTED: Final = (("fonts", "fontId"), ("fills", "fillId"), ("borders", "borderId"))
"""Lists of a workbook, and the attribute by which a format refers to one of each."""

_FORMATS: Final = "cellXfs"
_NUMBER: Final = "numFmtId"
_FIRST_OWN_NUMBER: Final = 164
"""The lowest identifier of a number format that is not one of Excel's own."""


class Styles:
    """Begins with those of one workbook; those of others are added."""

    def __init__(self, root: Element) -> None:
        """Take the styles of a workbook without number formats of its own; they are changed."""
        self._root = root
        self._numbers: dict[str, int] = {}
        """Identifier of each number format."""
        self._places: dict[str, dict[bytes, int]] = {
            name: {ET.tostring(element): at for at, element in enumerate(root.iterfind(f"{name}/*"))}
            for name in (*(name for name, _ in _LISTED), _FORMATS)
        }

    def add(self, root: Element, number: int) -> tuple[int, ...]:
        """Add the styles of page ``number``; return the place here of each of its formats.

        Raises DamagedPart if a format refers to what is not there.
        """
        numbers = {each.get(_NUMBER, ""): each.get("formatCode", "") for each in root.iterfind("numFmts/numFmt")}
        places = []
        for each in root.iterfind(f"{_FORMATS}/xf"):
            try:
                for name, reference in _LISTED:
                    shown = root.findall(f"{name}/*")[int(each.attrib[reference])]
                    each.set(reference, str(self._place(name, shown)))
            except (LookupError, ValueError) as error:
                raise DamagedPart(number, f"its xlsx has a format without {name}") from error
            if (code := numbers.get(each.get(_NUMBER, ""))) is not None:
                each.set(_NUMBER, str(self._numbers.setdefault(code, _FIRST_OWN_NUMBER + len(self._numbers))))
            places.append(self._place(_FORMATS, each))
        return tuple(places)

    def finish(self) -> Element:
        """Return the styles of all workbooks; nothing can be added any more."""
        for name, places in self._places.items():
            self._list(name).set("count", str(len(places)))
        if self._numbers:
            codes = Element("numFmts", count=str(len(self._numbers)))
            for code, identifier in self._numbers.items():
                child(codes, "numFmt", numFmtId=identifier, formatCode=code)
            self._root.insert(0, codes)
        return self._root

    def _place(self, name: str, element: Element) -> int:
        places = self._places[name]
        key = ET.tostring(element)
        if key not in places:
            places[key] = len(places)
            self._list(name).append(element)
        return places[key]

    def _list(self, name: str) -> Element:
        found = self._root.find(name)
        assert found is not None  # noqa: S101 - XlsxWriter writes all of them
        return found
