"""What the daemon asks of the process that joins, and what that answers: JSON on standard input and output."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from ocrwatch.render.joining.base import Document
from ocrwatch.render.registry import publishing_order

JOINABLE: Final = ("txt", "json", "pdf", "md", "tsv", "alto", "hocr", "csv", "xlsx")
"""Formats whose sidecars of several pages can be joined. Named here, since the daemon's process loads none of them."""

MODULE: Final = "ocrwatch.render.joining"
"""What is run: ``python -m`` with the job on standard input."""


def joinable(formats: Iterable[str]) -> tuple[str, ...]:
    """Return those of these formats that can be joined, in the order of publishing."""
    return tuple(sorted(set(JOINABLE).intersection(formats), key=publishing_order))


@dataclass(frozen=True, slots=True)
class JoinJob:
    """A document, and where its files go."""

    document: Document
    targets: tuple[tuple[str, int], ...]
    """Name of each format, and the number of an inherited descriptor of an empty file that is open for writing."""


class FaultKind(StrEnum):
    """Whose fault it is that a document was not joined."""

    ENVIRONMENT = "environment"
    BUG = "bug"
    PART = "part"
    """A page's sidecar is missing, or is not what its format writes."""


EXIT_CODES: Final = {FaultKind.BUG: 1, FaultKind.ENVIRONMENT: 3, FaultKind.PART: 4}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a document was not joined. What is in the files is of no use then."""

    kind: FaultKind
    errno: int | None
    """The system's number of the error; None if it is no error of the system."""
    message: str
    """Of a bug with its traceback."""
    page: int | None
    """Number of the page whose sidecar is damaged, from 1; None for other faults."""


@dataclass(frozen=True, slots=True)
class Joined:
    """The answer: ``files`` if all were written and are durable, ``fault`` otherwise."""

    files: tuple[tuple[str, int, str], ...] = ()
    """Format, size and SHA-256 of each, in the order of the targets."""
    fault: Fault | None = None


def encode_job(job: JoinJob) -> bytes:
    """Encode a job. Paths may have bytes that are not UTF-8, which msgspec does not write."""
    return json.dumps(msgspec.to_builtins(job)).encode("ascii")


def decode_job(data: bytes) -> JoinJob:
    """Return a job. Raises ValueError if it is none."""
    return msgspec.convert(json.loads(data), JoinJob)


def encode_answer(answer: Joined) -> bytes:
    """Encode an answer: one of its two fields, on one line."""
    if answer.fault is None:
        return msgspec.json.encode({"files": answer.files}) + b"\n"
    return msgspec.json.encode({"fault": answer.fault}) + b"\n"


def decode_answer(data: bytes) -> Joined:
    """Return an answer. Raises ValueError if it is none."""
    return msgspec.json.decode(data, type=Joined)
