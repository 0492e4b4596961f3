"""Exchanges typed messages between a slot and its worker.

They use a private socket, with a deadline for every operation.

A worker decodes data from unknown people, and may be taken over by it. So each end decodes only the messages that the
other may send, with their declared types: anything else is :class:`BadMessage`. A worker that hangs, is stopped or dies
in the middle of a message delays only its own slot, until the deadline.

A message is two lengths, the message in MessagePack and, for a job, the scan's raw bytes: copies of 200 MB would take
time, and memory that a worker may not have.
"""

from __future__ import annotations

import numbers
import re
import socket
import struct
import time
from typing import Any, ClassVar, Final, Generic, TypeVar

import msgspec

from ocrwatch.document import EngineInfo
from ocrwatch.errors import (
    Blocked,
    Damaged,
    Encrypted,
    EngineFailed,
    EnvironmentFault,
    InternalFault,
    LockedError,
    NoFreeName,
    OcrwatchError,
    OtherFormat,
    OutOfMemory,
    Rejected,
    ScanFault,
    ServiceFault,
    TimedOut,
    TooLarge,
    Truncated,
    Unsupported,
    UsageError,
    WorkerDied,
)
from ocrwatch.executors.http_ocr.presets.base import Request as HttpMessage
from ocrwatch.log import encodable
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.sent_page import SentPage
from ocrwatch.render.base import RenderedPage, RenderRequest

_LENGTHS: Final = struct.Struct("!QQ")
_PIECE: Final = 1 << 20
_MAX_LENGTH: Final = 1 << 26
"""Bytes of a message without a scan: the sidecars and the packed page of 500 words take 80,000."""

_SCANS_IN_ANSWER: Final = 2
"""How many times its job's scan an answer may hold besides: a PDF shows it."""

_CODE: Final = re.compile(r"[a-z0-9-]{1,50}")


class ChannelClosed(Exception):
    """The other end is gone."""


class BadMessage(Exception):
    """The other end sent an invalid message; nothing more can be read from it."""


class _Message(msgspec.Struct, frozen=True, tag=True, array_like=True, forbid_unknown_fields=True):
    """Base of the messages: an array that begins with the name of its class."""


class Setup(_Message, frozen=True):
    """The first message to a worker."""

    recipes: tuple[Recipe, ...]
    """Recipes to warm up for; the last one above all. None of them if it only renders."""
    formats: tuple[str, ...]
    """Names of the formats to load."""
    max_memory: int
    """Bytes of address space, 0 for no limit."""
    scratch: bytes = b""
    """Folder for temporary files, as the file system has its path; empty for the system's."""


class Warm(_Message, frozen=True):
    """The worker's answer: ready for work."""

    engine: EngineInfo | None
    """None if it only renders."""


class Job(_Message, frozen=True):
    """One scan for an executor, and for its worker."""

    is_counted: ClassVar[bool] = True
    """Whether it is an attempt to read a scan."""
    number: ClassVar[int] = 0
    """Number of the job, by which a helper's answer is found: a scan may have several jobs, one after the other."""

    scan: int
    """Its row in the ledger."""
    content: bytes
    recipe: Recipe
    request: RenderRequest
    first: bytes = b""
    """The packed page of the first reader, if this is a second reading by a service; it is for no worker."""


class RenderJob(_Message, frozen=True):
    """One cached page for a worker."""

    is_counted: ClassVar[bool] = False

    scan: int
    packed: bytes
    request: RenderRequest
    content: bytes = b""
    """The scan, if a format shows it or ``find`` is given; otherwise empty."""
    number: int = 0
    find: Recipe | None = None
    """Recipe by which a page with text of its own is completed; None for all others."""


class PrepareJob(_Message, frozen=True):
    """One scan that a worker makes a request to a remote service of."""

    is_counted: ClassVar[bool] = True

    scan: int
    content: bytes
    recipe: Recipe
    number: int = 0


class AssembleJob(_Message, frozen=True):
    """The answer of a remote service, of which a worker makes a page."""

    is_counted: ClassVar[bool] = False

    scan: int
    content: bytes
    """The scan, if a format shows it, or tables, codes or fields are looked for; empty otherwise."""
    recipe: Recipe
    sent: SentPage | None
    """The image that was sent; None if the service was not asked."""
    answer: bytes
    request: RenderRequest
    first: bytes = b""
    """The packed page of the first reader, if this is a second reading."""
    failure: str = ""
    """Why a second reading failed; empty if it did not."""
    number: int = 0


class Taken(_Message, frozen=True):
    """The worker has a job's bytes: from here on its death is blamed on the scan."""

    scan: int


class Read(_Message, frozen=True):
    """A page, rendered."""

    scan: int
    page: RenderedPage


class Prepared(_Message, frozen=True):
    """A request to a remote service."""

    scan: int
    message: HttpMessage
    sent: SentPage


class Failed(_Message, frozen=True):
    """A failed job, or set-up if ``scan`` is None."""

    scan: int | None
    error: OcrwatchError


AnyJob = Job | RenderJob | PrepareJob | AssembleJob
"""What a worker does for one scan."""

Request = Setup | AnyJob
"""Messages to a worker."""

Answer = Warm | Taken | Read | Prepared | Failed
"""Messages from a worker."""

Sent = TypeVar("Sent", bound=_Message)
Received = TypeVar("Received", bound=_Message)


class Channel(Generic[Sent, Received]):
    """One end of the connection; made by :func:`channel_to_worker` and :func:`channel_to_parent`."""

    def __init__(
        self, connection: socket.socket, decoder: msgspec.msgpack.Decoder[Received], *, gets_scans: bool
    ) -> None:
        self._socket = connection
        self._decoder = decoder
        self._gets_scans = gets_scans
        self._max_length = _MAX_LENGTH
        """Bytes of a message; more after a scan, since the answer may show it."""

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def send(self, message: Sent, deadline: float | None = None) -> None:
        """Send one message until ``deadline`` (monotonic seconds).

        Raises ``TimeoutError``, or :class:`ChannelClosed` if the other end is gone. A message that cannot be encoded
        raises before anything is sent: :class:`UsageError` for a recipe, :class:`TooLarge` for sidecars, ``TypeError``
        or ``ValueError``.
        """
        content = b""
        if isinstance(message, AnyJob):
            content = message.content
            self._expect_answer(content)
        data = _encoded(msgspec.structs.replace(message, content=b"") if content else message, self._max_length)
        parts = [_LENGTHS.pack(len(data), len(content)) + data]
        if content:
            parts.append(content)
        # Nothing is sent after the last byte, not even an empty part: the other end may have answered and ended by
        # then, and sending would fail although there is an answer to receive.
        try:
            for part in parts:
                self._set_timeout(deadline)
                self._socket.sendall(part)
        except TimeoutError:
            raise
        except OSError as error:
            raise ChannelClosed from error

    def receive(self, deadline: float | None = None) -> Received:
        """Receive one message until ``deadline``.

        After it, a message that has arrived is still received: the caller may have been stopped, or the machine busy.
        Raises like :meth:`send`, and :class:`BadMessage`.
        """
        length, content_length = _LENGTHS.unpack(self._exactly(_LENGTHS.size, deadline))
        if length > self._max_length or (content_length and not self._gets_scans):
            raise BadMessage(f"a message of {length + content_length} bytes")
        data = self._exactly(length, deadline)
        content = self._content(content_length, deadline)
        try:
            message = self._decoder.decode(data)
        except MemoryError:
            raise
        except Exception as error:
            raise BadMessage(str(error)) from error
        if isinstance(message, AnyJob):
            self._expect_answer(content)
            return msgspec.structs.replace(message, content=content)
        return message

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _expect_answer(self, content: bytes) -> None:
        self._max_length = _MAX_LENGTH + _SCANS_IN_ANSWER * len(content)

    def _exactly(self, length: int, deadline: float | None) -> bytearray:
        data = bytearray(length)
        view, filled = memoryview(data), 0
        while filled < length:
            left = None if deadline is None else deadline - time.monotonic()
            is_late = left is not None and left <= 0
            self._socket.settimeout(0 if is_late else left)
            try:
                got = self._socket.recv_into(view[filled : filled + _PIECE])
            except BlockingIOError as error:
                raise TimeoutError from error
            except TimeoutError:
                raise
            except OSError as error:
                raise ChannelClosed from error
            if got == 0:
                raise ChannelClosed
            filled += got
            if is_late and filled < length:
                # The rest may be on its way, but a peer that goes on sending does not extend the deadline.
                raise TimeoutError
        return data

    def _content(self, length: int, deadline: float | None) -> bytes:
        pieces = []
        while length:
            self._set_timeout(deadline)
            try:
                # A worker has no deadline and gets all in one piece, which join() returns without a copy.
                piece = self._socket.recv(length, socket.MSG_WAITALL)
            except TimeoutError:
                raise
            except OSError as error:
                raise ChannelClosed from error
            if not piece:
                raise ChannelClosed
            pieces.append(piece)
            length -= len(piece)
        return b"".join(pieces)

    def _set_timeout(self, deadline: float | None) -> None:
        if deadline is None:
            self._socket.settimeout(None)
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


def _encoded(message: _Message, max_length: int) -> bytes:
    try:
        data = _ENCODER.encode(message)
    except UnicodeEncodeError as error:
        if isinstance(message, Request):
            # Only a path of the recipe can be not UTF-8: from the command line or the environment.
            raise UsageError(
                f"a path of [ocr] is not UTF-8: {_encodable(error.object)}", "rename the file or folder"
            ) from error
        raise
    if len(data) > max_length and isinstance(message, Read):
        raise TooLarge(
            f"its sidecars take {len(data) / 1e6:.0f} MB, more than {max_length / 1e6:.0f}",
            "take large formats, such as pdf, out of output.formats for such scans",
        )
    if len(data) > max_length:
        raise ValueError(f"a message of {len(data)} bytes is too long")
    return data


def channel_to_worker(connection: socket.socket) -> Channel[Request, Answer]:
    """Return the parent's end."""
    return Channel(connection, _ANSWERS, gets_scans=False)


def channel_to_parent(connection: socket.socket) -> Channel[Answer, Request]:
    """Return the worker's end."""
    return Channel(connection, _REQUESTS, gets_scans=True)


_ERRORS: Final[dict[str, type[OcrwatchError]]] = {
    kind.__name__: kind
    for kind in (
        OcrwatchError,
        UsageError,
        LockedError,
        EnvironmentFault,
        Blocked,
        ScanFault,
        OtherFormat,
        Truncated,
        Damaged,
        Encrypted,
        TooLarge,
        Unsupported,
        TimedOut,
        WorkerDied,
        OutOfMemory,
        EngineFailed,
        NoFreeName,
        InternalFault,
        ServiceFault,
        Rejected,
    )
}
"""Classes of the errors that a worker may send. Those of engines from other packages become their base."""


class _ErrorData(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An error in its sent form."""

    kind: str
    message: str
    remedy: str
    trace: str
    code: str
    """Code of a scan fault; empty for other errors."""
    retryable: bool

    @classmethod
    def of(cls, error: OcrwatchError) -> _ErrorData:
        """Take an error apart."""
        kind = next(each.__name__ for each in type(error).__mro__ if _ERRORS.get(each.__name__) is each)
        scan_fault = error if isinstance(error, ScanFault) else None
        return cls(
            kind,
            _encodable(error.message),
            _encodable(error.remedy),
            _encodable(error.trace) if isinstance(error, InternalFault) else "",
            _encodable(scan_fault.code) if scan_fault else "",
            bool(scan_fault and scan_fault.retryable),
        )

    def error(self) -> OcrwatchError:
        """Rebuild the error. Raises ``ValueError`` if its kind is unknown."""
        if (kind := _ERRORS.get(self.kind)) is None:
            raise ValueError(f"there is no error {self.kind!r}")
        if issubclass(kind, InternalFault):
            return kind(self.message, self.remedy, self.trace)
        error = kind(self.message, self.remedy)
        if isinstance(error, ScanFault):
            error.retryable = self.retryable
            if _CODE.fullmatch(self.code):
                error.code = self.code
        return error


def _encodable(text: object) -> str:
    """Escape bytes that are not UTF-8, such as a part of a path in a system message."""
    return encodable(str(text))


def encode_other(value: object) -> object:
    """Encode errors, and the numbers and strings of numpy that engines of other packages return."""
    if isinstance(value, OcrwatchError):
        return _ErrorData.of(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    raise TypeError(f"a {type(value).__name__} cannot be sent to another process")


def _decode_other(kind: type, value: Any) -> object:
    if kind is not OcrwatchError:
        raise TypeError(f"a {kind.__name__} is never received")
    return msgspec.convert(value, _ErrorData).error()


_ENCODER: Final = msgspec.msgpack.Encoder(enc_hook=encode_other)
_ANSWERS: Final[msgspec.msgpack.Decoder[Answer]] = msgspec.msgpack.Decoder(Answer, dec_hook=_decode_other)
_REQUESTS: Final[msgspec.msgpack.Decoder[Request]] = msgspec.msgpack.Decoder(Request, dec_hook=_decode_other)
