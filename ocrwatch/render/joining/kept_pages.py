"""Takes pages with text of their own from the PDF that came into the inbox, instead of images of them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Final

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream

from ocrwatch.render.joining.pdf_writer import PdfWriter
from ocrwatch.render.joining.shown_objects import Keys, NotKept, ShownObjects, written
from ocrwatch.render.pdf_file import PARTS
from ocrwatch.render.planar import Matrix

_DEEPEST: Final = 64
"""Levels of the tree of pages from which a page inherits."""

_ROUNDING: Final = 0.01
"""Relative difference of the sizes of a page and of its image, whose pixels are whole."""

_LAYER: Final = "/OcrwatchText"

_BEFORE: Final = b"q\n"
_AFTER: Final = b"\nQ\n%s Do\n" % _LAYER.encode()
"""Around the content of a page: the layer must not be moved by what that leaves behind."""

_OF_SOURCE: Final = (
    NotKept, pikepdf.PdfError, RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError,
)  # fmt: skip
"""Raised for a page that is damaged, or that is no page."""

Box = tuple[float, float, float, float]
"""Left, bottom, right and top."""


class KeptPages:
    """The pages of one file that are in the document as they are."""

    def __init__(self, pdf: Pdf | None, writer: PdfWriter) -> None:
        """Without ``pdf`` no page is kept."""
        self._pdf = pdf
        self._writer = writer
        self._shown = ShownObjects(writer)

    @classmethod
    @contextlib.contextmanager
    def of(cls, path: str, count: int, writer: PdfWriter) -> Iterator[KeptPages]:
        """Open the file, which should have ``count`` pages. None is kept if it is damaged, or ``path`` is empty.

        Raises OSError if it cannot be read.
        """
        with contextlib.ExitStack() as opened:
            pdf = None
            if path:
                with contextlib.suppress(MemoryError, *_OF_SOURCE):
                    pdf = opened.enter_context(pikepdf.open(path, attempt_recovery=False, suppress_warnings=True))
                    if len(pdf.pages) != count or pdf.get_warnings():
                        pdf = None
            yield cls(pdf, writer)

    def add(self, number: int, sidecar: Dictionary) -> bool:
        """Add page ``number`` instead of ``sidecar``, which shows an image of it; return whether that was possible.

        What was read besides the own text of the page lies over it, and is invisible.
        """
        if self._pdf is None:
            return False
        try:
            streams = _streams(sidecar)
            if len(streams) != PARTS:
                return False
            entries = self._entries(self._pdf.pages[number - 1].obj, sidecar, streams[-1])
        except _OF_SOURCE:
            return False
        except MemoryError:
            self._pdf = None
            return False
        if self._pdf.get_warnings():
            # What is damaged may be what other pages need, too.
            self._pdf = None
            return False
        self._writer.append_page(entries)
        return True

    def _entries(self, page: Object, sidecar: Dictionary, others: Stream) -> bytes:
        """Return the entries of the page's dictionary; ``others`` shows what was read besides its own text."""
        media, turns = _box(_inherited(page, "/MediaBox")), _turns(page)
        crop = _inherited(page, "/CropBox")
        shown = media if crop is None else _overlap(media, _box(crop))
        size = _size_of(sidecar)
        _check_size(page, shown, turns, size)
        resources, group = _inherited(page, "/Resources"), page.get("/Group")
        if not isinstance(resources, Dictionary):
            raise NotKept("it has no resources")
        has_layer = bool(others.read_bytes())
        images = resources.get("/XObject", Dictionary())
        with self._shown.page() as objects:
            contents = [objects.value(stream) for stream in _streams(page)]
            entries = {} if group is None else {"/Group": objects.value(group)}
            if has_layer:
                categories = objects.entries(resources, Keys.CATEGORIES)
                named = objects.entries(images, Keys.ALL)
            else:
                entries["/Resources"] = objects.value(resources, Keys.CATEGORIES)
        if has_layer:
            named[_LAYER] = self._layer(sidecar, others, size, _placing(shown, turns, size))
            categories["/XObject"] = b"<< %s>>" % written(named)
            entries["/Resources"] = b"<< %s>>" % written(categories)
            contents = [self._stream(_BEFORE), *contents, self._stream(_AFTER)]
        entries["/Contents"] = b"[ %s ]" % b" ".join(contents)
        entries["/MediaBox"] = self._writer.copy(Array(shown))
        entries["/Rotate"] = b"%d" % (90 * turns)
        entries["/Type"] = b"/Page"
        return written(entries)

    def _layer(self, sidecar: Dictionary, others: Stream, size: tuple[float, float], place: Matrix) -> bytes:
        """Write the invisible text, and return how it is referred to."""
        with Pdf.new() as pdf:
            form = pdf.make_stream(others.read_bytes(), Type=Name.XObject, Subtype=Name.Form)
            form.BBox, form.Matrix = Array([0, 0, *size]), Array([round(value, 6) for value in place])
            form.Resources = Dictionary(Font=Dictionary(F=pdf.copy_foreign(sidecar.Resources.Font.F)))
            return self._writer.copy(form)

    def _stream(self, data: bytes) -> bytes:
        with Pdf.new() as pdf:
            return self._writer.copy(pdf.make_stream(data))


def _inherited(page: Object | None, key: str) -> Object | None:
    """Return a value of a page or of the tree above it (ISO 32000-1, 7.7.3.4)."""
    for _ in range(_DEEPEST):
        if not isinstance(page, Dictionary):
            break
        if key in page:
            return page[key]
        page = page.get("/Parent")
    return None


def _turns(page: Object) -> int:
    """Return the clockwise quarter turns by which a page is shown."""
    turns, rest = divmod(int(_inherited(page, "/Rotate") or 0), 90)
    if rest:
        raise NotKept("it is turned by an odd angle")
    return turns % 4


def _box(value: Object | None) -> Box:
    if not isinstance(value, Array):
        raise NotKept("it has no size")
    one, two, three, four = map(float, value)
    return min(one, three), min(two, four), max(one, three), max(two, four)


def _overlap(box: Box, other: Box) -> Box:
    (left, bottom, right, top), (left_2, bottom_2, right_2, top_2) = box, other
    return max(left, left_2), max(bottom, bottom_2), min(right, right_2), min(top, top_2)


def _size_of(sidecar: Dictionary) -> tuple[float, float]:
    left, bottom, right, top = _box(sidecar.MediaBox)
    return right - left, top - bottom


def _check_size(page: Object, shown: Box, turns: int, size: tuple[float, float]) -> None:
    """Raise NotKept if a page is not as large as its image: qpdf and pdfium take it for different ones."""
    width, height = shown[2] - shown[0], shown[3] - shown[1]
    sides = (height, width) if turns % 2 else (width, height)
    is_same = all(math.isclose(one, other, rel_tol=_ROUNDING) for one, other in zip(sides, size, strict=True))
    if not is_same or page.get("/UserUnit", 1) != 1:
        raise NotKept("its size is not that of its image")


def _streams(page: Object) -> list[Stream]:
    """Return the content of a page."""
    content = page.get("/Contents")
    streams = list(content) if isinstance(content, Array) else [content]
    found = [each for each in streams if isinstance(each, Stream)]
    if len(found) != len(streams):
        raise NotKept("its content is damaged")
    return found


def _placing(shown: Box, turns: int, size: tuple[float, float]) -> Matrix:
    """Return what maps an upright page of this size to the page as it is stored."""
    left, bottom, right, top = shown
    width, height = size
    across, up = right - left, top - bottom
    return (
        Matrix(across / width, 0, 0, up / height, left, bottom),
        Matrix(0, up / width, -across / height, 0, right, bottom),
        Matrix(-across / width, 0, 0, -up / height, right, top),
        Matrix(0, -up / width, across / height, 0, left, top),
    )[turns]
