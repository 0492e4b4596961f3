"""What the daemon asks of the process that splits a file, and what that answers: one line of JSON each."""

from __future__ import annotations

from typing import Final

import msgspec

from ocrwatch.errors import (
    Damaged,
    Encrypted,
    InternalFault,
    OtherFormat,
    OutOfMemory,
    ScanFault,
    TooLarge,
    Truncated,
    Unsupported,
)

MODULE: Final = "ocrwatch.splitting"
"""What is run: ``python -m`` with the numbers of three descriptors (channel, file, folder) and the kind of the file."""

LONGEST_LINE: Final = 1 << 25
"""Bytes of an answer: a packed page has at most 16 MB, and base64 makes 4 bytes of 3."""

ENDINGS: Final = ("png", "jpg", "tif")
"""Of the images that are written."""

_FAULTS: Final = {
    fault.code: fault
    for fault in (Damaged, Encrypted, InternalFault, OtherFormat, OutOfMemory, TooLarge, Truncated, Unsupported)
}
"""What the process may say of a file or a page."""


class Setup(msgspec.Struct, frozen=True, tag="setup"):
    """The first message: opens the file."""

    name: str
    """Begins the names of the images."""
    max_memory: int
    max_pixels: int
    max_pages: int


class Ask(msgspec.Struct, frozen=True, tag="page"):
    """Asks for one page."""

    number: int


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The answer to the first message."""

    pages: int


class Written(msgspec.Struct, frozen=True, tag="written"):
    """A page's image is in the folder."""

    ending: str
    size: int
    sha256: str
    packed: bytes
    notes: tuple[str, ...]
    keeps_page: bool = False


class Faulty(msgspec.Struct, frozen=True, tag="fault"):
    """The file or the page is at fault."""

    code: str
    message: str
    remedy: str
    trace: str = ""


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The environment is at fault."""

    errno: int
    """The system's number; 0 if it is no error of the system."""
    message: str
    is_writing: bool = False
    """Whether an image could not be written, rather than the file read."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """Comes first, unasked: the process has started. Before it, the file cannot be at fault."""


Request = Setup | Ask
Answer = Ready | Opened | Written | Faulty | Refused

_ENCODER: Final = msgspec.json.Encoder()
_REQUESTS: Final[msgspec.json.Decoder[Request]] = msgspec.json.Decoder(Request)
_ANSWERS: Final[msgspec.json.Decoder[Answer]] = msgspec.json.Decoder(Answer)


def encode(message: Request | Answer) -> bytes:
    """Return a message as one line."""
    return _ENCODER.encode(message) + b"\n"


def decode_request(line: bytes) -> Request:
    """Return a request. Raises ValueError if it is none."""
    return _REQUESTS.decode(line)


def decode_answer(line: bytes) -> Answer:
    """Return an answer. Raises ValueError if it is none: a hostile file may have taken the process over."""
    return _ANSWERS.decode(line)


def fault_of(answer: Faulty) -> ScanFault:
    """Return the fault that an answer names."""
    kind = _FAULTS.get(answer.code, InternalFault)
    if issubclass(kind, InternalFault):
        return InternalFault(answer.message, answer.remedy, answer.trace)
    return kind(answer.message, answer.remedy)
