"""Protocol of presets: an image to a request, and an answer to text.

A preset is one module here, or in another package. It is found by its name (``remote.preset``) in the entry point group
``ocrwatch.presets``. Its methods run in a worker process, which has no network and no key: they only build and parse
bytes. The daemon's own process sends the request, with the key, and receives the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final, Protocol, runtime_checkable

from ocrwatch.document import Block
from ocrwatch.errors import UsageError
from ocrwatch.plugins import find, installed, origin
from ocrwatch.recipe import RemoteService

GROUP: Final = "ocrwatch.presets"

_PACKAGE: Final = "ocrwatch.executors.http_ocr.presets"

_BUILT_IN: Final = {
    "rapidocr": f"{_PACKAGE}.rapidocr:RapidocrPreset",
    "paddlex": f"{_PACKAGE}.paddlex:PaddlexPreset",
    "doctr": f"{_PACKAGE}.doctr:DoctrPreset",
    "tesseract-server": f"{_PACKAGE}.tesseract_server:TesseractServerPreset",
    "ocr.space": f"{_PACKAGE}.ocr_space:OcrSpacePreset",
    "azure-read": f"{_PACKAGE}.azure_read:AzureReadPreset",
    "google-vision": f"{_PACKAGE}.google_vision:GoogleVisionPreset",
    "baidu": f"{_PACKAGE}.baidu:BaiduPreset",
    "openai": f"{_PACKAGE}.openai:OpenaiPreset",
    "generic": f"{_PACKAGE}.generic:GenericPreset",
}


@dataclass(frozen=True, slots=True)
class Image:
    """The image that a service gets: upright, whatever the scan's EXIF orientation is."""

    content: bytes
    media_type: str
    """``image/jpeg``, ``image/png`` or ``image/tiff``."""
    width: int
    """Pixels."""
    height: int

    @property
    def file_name(self) -> str:
        """A name for forms with files. The scan's own one is not sent: it may be confidential."""
        return f"scan.{self.media_type.removeprefix('image/').replace('jpeg', 'jpg')}"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP POST, without the key."""

    body: bytes
    content_type: str
    path: str = ""
    """Appended to the service's URL."""
    query: tuple[tuple[str, str], ...] = ()
    """Parameters added to those of the service's URL."""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service read."""

    blocks: tuple[Block, ...]
    """In reading order if ``in_order``. Boxes are in pixels of the image that was sent, or
    :data:`~ocrwatch.document.UNPLACED`; confidences are from 0 to 100, or None."""
    version: str = ""
    """Version of the service's model, if it says so."""
    in_order: bool = True
    """Whether the service gives a reading order; otherwise the lines are put into one by their places."""
    warnings: tuple[str, ...] = ()
    """What the user should know, such as that the text may be cut off."""


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where a request has the key."""

    header: str = "Authorization"
    prefix: str = "Bearer "
    """What the header has before the key."""
    query: str = ""
    """Name of the parameter that has it instead of a header; empty for a header."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest image that a service takes; 0 for no limit, or an unknown one. A larger one is made smaller."""

    max_bytes: int = 0
    max_side: int = 0
    """Pixels of the longer side."""
    max_pixels: int = 0
    """Width times height."""


@dataclass(frozen=True, slots=True)
class TokenExchange:
    """How a key is exchanged for a token that is sent instead of it."""

    url: str
    form: tuple[tuple[str, str], ...]
    """Fields of the request, as ``application/x-www-form-urlencoded``."""


class Preset(Protocol):
    """One kind of service. Has no state; errors of :meth:`request` and :meth:`answer` are described there."""

    key: ClassVar[KeyPlace]
    media_types: ClassVar[frozenset[str]]
    """Images that it takes. Others are sent as JPEG, or as PNG if that is all it takes."""
    max_bytes: ClassVar[int]
    """Bytes of the largest image it takes; 0 if it does not say."""
    polls: ClassVar[bool]
    """Whether it answers 202 with the address of the result (``Operation-Location`` or ``Location``)."""
    options: ClassVar[frozenset[str]]
    """Names of the options that it knows (``[remote.options]``). One that ends with a dot stands for all that begin
    with it."""

    def check(self, service: RemoteService) -> None:
        """Check the options of a service, at the start; raises :class:`UsageError`."""

    def request(self, image: Image, service: RemoteService, languages: tuple[str, ...]) -> Request:
        """Return the request. ``languages`` are Tesseract's names, such as ``deu``."""

    def answer(self, body: bytes, image: Image, service: RemoteService) -> Answer:
        """Return the text of the body of an answer with a status from 200 to 299.

        ``image`` is the one that was sent, but its ``content`` is empty. Some services refuse with status 200: raises
        :class:`ServiceFault` if no image would be read (a wrong key, no quota, too many requests, the service is out
        of order) and :class:`Rejected` if this image is to blame. Raises :class:`ServiceFault` for a body that is no
        answer of such a service, such as a page of a proxy.
        """

    def exchange(self, key: str, service: RemoteService) -> TokenExchange | None:
        """Return how the key is exchanged for a token; None if it is sent itself."""

    def token(self, body: bytes) -> tuple[str, float]:
        """Return the token of the answer to an exchange, and the seconds for which it is valid.

        Raises :class:`ServiceFault` if it has none.
        """


@runtime_checkable
class PlacesKey(Protocol):
    """A preset whose options decide where a request has the key."""

    def key_place(self, service: RemoteService) -> KeyPlace:
        """Return the place of the key in requests to this service."""


@runtime_checkable
class HasLimits(Protocol):
    """A preset whose limits depend on options, or are of pixels, too."""

    def limits(self, service: RemoteService) -> Limits:
        """Return the limits of this service."""


def key_place(preset: Preset, service: RemoteService) -> KeyPlace:
    """Return where requests to a service have the key."""
    return preset.key_place(service) if isinstance(preset, PlacesKey) else preset.key


def limits(preset: Preset, service: RemoteService) -> Limits:
    """Return the largest image that a service takes: what its settings say of bytes, else what the preset knows."""
    known = preset.limits(service) if isinstance(preset, HasLimits) else Limits(preset.max_bytes)
    return replace(known, max_bytes=service.max_bytes) if service.max_bytes else known


def open_preset(name: str) -> Preset:
    """Return the preset of this name. Raises :class:`UsageError` if there is none, or it cannot be loaded."""
    if (found := find(GROUP, _BUILT_IN, name)) is None:
        raise UsageError(
            f"there is no preset named {name!r}",
            f"set preset to one of: {', '.join(sorted(installed(GROUP, _BUILT_IN)))}",
        )
    try:
        preset: Preset = found.load()()
    except (Exception, SystemExit) as error:  # another package's code may raise anything
        raise UsageError(
            f"the preset {name}{origin(found)} cannot be used ({type(error).__name__}: {error})",
            "install a version of its package that works, or choose another preset",
        ) from error
    return preset
