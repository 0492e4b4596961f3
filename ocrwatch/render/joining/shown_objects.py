"""Copies what pages of an untrusted PDF need to be shown, and nothing else: no actions, scripts or attachments.

Entries of dictionaries are copied by a list of what is allowed (ISO 32000-1, chapters 7 to 11), each by its name
wherever it is. Actions are named in no such entry, and files are read by none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum, auto
from typing import Final

from pikepdf import Array, Dictionary, Name, Object, Stream

from ocrwatch.render.joining.pdf_writer import PdfWriter, simple

_STREAMS: Final = """
Filter DecodeParms Predictor Colors BitsPerComponent Columns EarlyChange K EndOfLine EncodedByteAlign Rows EndOfBlock
BlackIs1 DamagedRowsBeforeError JBIG2Globals ColorTransform
"""
_IMAGES_AND_FORMS: Final = """
Type Subtype Width Height ColorSpace Intent ImageMask Mask Decode Interpolate SMask SMaskInData Matte FormType BBox
Matrix Resources Group S CS I
"""
_STATES_AND_MASKS: Final = """
LW LC LJ ML D RI OP op OPM Font BG BG2 UCR UCR2 TR TR2 FL SM SA BM CA ca AIS TK G BC
"""
_COLOURS: Final = """
PatternType PaintType TilingType XStep YStep Shading ExtGState ShadingType Background AntiAlias Coords Domain Function
Extend BitsPerCoordinate BitsPerFlag VerticesPerRow FunctionType Range Size BitsPerSample Order Encode C0 C1 N Functions
Bounds Alternate WhitePoint BlackPoint Gamma Colorants Process Components
"""
_FONTS: Final = """
Name BaseFont FirstChar LastChar Widths FontDescriptor Encoding ToUnicode DescendantFonts CIDSystemInfo DW W DW2 W2
CIDToGIDMap FontBBox FontMatrix CharProcs BaseEncoding Differences CMapName WMode UseCMap FontName FontFamily
FontStretch FontWeight Flags ItalicAngle Ascent Descent Leading CapHeight XHeight StemV StemH AvgWidth MaxWidth
MissingWidth FontFile FontFile2 FontFile3 CharSet Style Panose Lang CIDSet Length1 Length2 Length3 Registry Ordering
Supplement
"""
_MARKED_CONTENT: Final = "MCID ActualText Alt E"

_ALLOWED: Final = frozenset(
    f"/{name}"
    for names in (_STREAMS, _IMAGES_AND_FORMS, _STATES_AND_MASKS, _COLOURS, _FONTS, _MARKED_CONTENT)
    for name in names.split()
)

_CATEGORIES: Final = frozenset({
    "/ExtGState", "/ColorSpace", "/Pattern", "/Shading", "/XObject", "/Font", "/Properties",
})  # fmt: skip
"""Kinds of resources; each has a dictionary whose keys are names of the page's own."""

_NAMED: Final = frozenset({"/CharProcs", "/Colorants"})
"""Other entries with such a dictionary."""

_FILTERS: Final = frozenset({
    "/ASCIIHexDecode", "/ASCII85Decode", "/LZWDecode", "/FlateDecode", "/RunLengthDecode", "/CCITTFaxDecode",
    "/JBIG2Decode", "/DCTDecode", "/JPXDecode",
})  # fmt: skip

_LARGEST: Final = 1 << 26
"""Bytes of fonts, text and drawings, decoded; fonts with all Chinese characters have 20 MB."""

_LAYERS: Final = frozenset({"/OCG", "/OCMD"})

_REFUSED: Final = frozenset({"/OC", "/Ref"})
"""Layers that may be hidden, and pages of other files: without them, a page looks different."""

_OUTSIDE: Final = "/F"
"""The file that has the data of a stream."""


class NotKept(Exception):
    """A page that would look different, or is damaged."""


class Keys(Enum):
    """Which keys of a dictionary are copied."""

    ALLOWED = auto()
    CATEGORIES = auto()
    """Of resources."""
    ALL = auto()
    """Names of the page's own."""


class ShownObjects:
    """Copies objects of one source; what several pages need is in the target once."""

    def __init__(self, writer: PdfWriter) -> None:
        self._writer = writer
        self._numbers: dict[tuple[tuple[int, int], Keys], int] = {}
        """Of a dictionary, array or stream of the source, and of how its keys are taken."""

    @contextmanager
    def page(self) -> Iterator[PageObjects]:
        """Copy what one page needs, when the context ends without an exception.

        Raises :class:`NotKept` if the page would look different, and what pikepdf raises for damaged files. Then
        nothing refers to what was written of the page.
        """
        objects = PageObjects(self._writer, self._numbers)
        try:
            yield objects
            objects.follow()
        except BaseException:
            self._forget(objects.numbers)
            self._writer.release(objects.numbers)
            raise
        self._write(objects)

    def _write(self, objects: PageObjects) -> None:
        """Write what was found: the data of one stream are in memory at a time."""
        for position, (number, head, stream) in enumerate(objects.found):
            try:
                parts = (head,) if stream is None else _with_data(head, stream.read_raw_bytes())
            except BaseException:
                self._forget(objects.numbers)
                for left, _, _ in objects.found[position:]:
                    self._writer.put(left, b"null")
                raise
            self._writer.put(number, *parts)

    def _forget(self, numbers: list[int]) -> None:
        lost = set(numbers)
        for known in [known for known, number in self._numbers.items() if number in lost]:
            del self._numbers[known]


class PageObjects:
    """What one page needs, and no page before it."""

    def __init__(self, writer: PdfWriter, known: dict[tuple[tuple[int, int], Keys], int]) -> None:
        self._writer = writer
        self._known = known
        self._waiting: deque[tuple[int, Object, Keys]] = deque()
        self.numbers: list[int] = []
        """Reserved for it, in their order."""
        self.found: list[tuple[int, bytes, Stream | None]] = []
        """Number, all but the data, and the stream that has data."""

    def value(self, value: object, keys: Keys = Keys.ALLOWED) -> bytes:
        """Return how a value is written where another one refers to it or holds it; raises :class:`NotKept`."""
        if not isinstance(value, Stream | Dictionary | Array):
            return simple(value)
        if not value.is_indirect:
            return self._container(value, keys)
        known = (value.objgen, keys)
        number = self._known.get(known)
        if number is None:
            number = self._known[known] = self._writer.reserve()
            self.numbers.append(number)
            self._waiting.append((number, value, keys))
        return b"%d 0 R" % number

    def entries(self, value: Object, keys: Keys) -> dict[str, bytes]:
        """Return how the entries of a dictionary are written; raises :class:`NotKept`."""
        if keys is Keys.ALLOWED:
            _check(value)
        wanted = {Keys.ALLOWED: _ALLOWED, Keys.CATEGORIES: _CATEGORIES}.get(keys)
        # Sorted: pikepdf returns a set.
        copied = sorted(key for key in value.keys() if wanted is None or key in wanted)  # noqa: SIM118 - no mapping
        return {key: self.value(value[key], _below(keys, key)) for key in copied}

    def follow(self) -> None:
        """Find all that is referred to. Without recursion: resources may be part of themselves."""
        while self._waiting:
            number, value, keys = self._waiting.popleft()
            if isinstance(value, Stream):
                _check_stream(value)
                self.found.append((number, written(self.entries(value, Keys.ALLOWED)), value))
            else:
                self.found.append((number, self._container(value, keys), None))

    def _container(self, value: Object, keys: Keys) -> bytes:
        if isinstance(value, Array):
            return b"[ %s ]" % b" ".join([self.value(each) for each in value])
        if isinstance(value, Stream):
            raise NotKept("a stream that is no object of its own")
        return b"<< %s>>" % written(self.entries(value, keys))


def written(entries: Mapping[str, bytes]) -> bytes:
    """Write entries of a dictionary."""
    return b"".join([b"%s %s " % (Name(key).unparse(), value) for key, value in entries.items()])


def _below(keys: Keys, key: str) -> Keys:
    """Return which keys the value of an entry has, if it is a dictionary."""
    if keys is Keys.CATEGORIES:
        return Keys.ALL
    if keys is Keys.ALLOWED and key == "/Resources":
        return Keys.CATEGORIES
    return Keys.ALL if keys is Keys.ALLOWED and key in _NAMED else Keys.ALLOWED


def _check(value: Object) -> None:
    if not _REFUSED.isdisjoint(value.keys()) or _name(value.get("/Type")) in _LAYERS:
        raise NotKept("it has layers, or parts of other files")


def _check_stream(stream: Stream) -> None:
    if _OUTSIDE in stream or _name(stream.get("/Subtype")) == "/PS":
        raise NotKept("it has data outside of the file, or for printers only")
    filters = stream.get("/Filter", Array())
    names = list(filters) if isinstance(filters, Array) else [filters]
    if not all(_name(name) in _FILTERS for name in names):
        raise NotKept("it has data in an unknown encoding")
    # Viewers differ in what they show of damaged data, of which qpdf warns. It decodes what is no image.
    if names and _name(stream.get("/Subtype")) != "/Image" and len(stream.read_bytes()) > _LARGEST:
        raise NotKept("it has data that viewers need much memory for")


def _name(value: object) -> str:
    return str(value) if isinstance(value, Name) else ""


def _with_data(head: bytes, data: bytes) -> tuple[bytes, ...]:
    return b"<< %s/Length %d >>\nstream\n" % (head, len(data)), data, b"\nendstream"
