"""What workers send: odd pages of other packages' engines, their errors, and what is no message at all."""

from __future__ import annotations

import math
import struct

import msgspec
import pytest

from ocrwatch.document import Box
from ocrwatch.errors import EngineFailed, InternalFault
from ocrwatch.executors.events import WorkerLost
from tests.contract.pooling import Start


def framed(data: bytes, jpeg_length: int = 0) -> str:
    """Return a message in hexadecimal, as a worker that was taken over may send it."""
    return (struct.pack("!QQ", len(data), jpeg_length) + data).hex()


def test_numbers_of_numpy_and_infinite_ones_are_a_page(start: Start) -> None:
    """What can be delivered comes through, as plain values."""
    pooling = start()
    pooling.submit(1, "odd")
    page = pooling.page(1)
    assert [(word.text, word.confidence) for word in page.words] == [("90.5", 90.5), ("inf", math.inf)]
    assert {type(word.confidence) for word in page.words} == {float}
    assert page.words[0].box == Box(0, 0, 1, 1)


@pytest.mark.parametrize("argument", ["", "x"])
def test_a_page_that_cannot_be_sent_is_an_internal_fault(start: Start, argument: str) -> None:
    """The scan has the fault with its traceback; the worker lives on."""
    pooling = start()
    (worker,) = pooling.ready()
    pooling.submit(1, "unsendable", argument)
    error = pooling.outcome(1).error
    assert isinstance(error, InternalFault)
    assert "Traceback" in error.trace
    pooling.submit(2)
    assert pooling.worker_of(2) == worker


def test_a_page_of_wrong_types_is_an_internal_fault(start: Start) -> None:
    """The fault says what is wrong; a fresh worker reads the next scan."""
    pooling = start()
    pooling.submit(1, "wrong-types")
    error = pooling.outcome(1).error
    assert isinstance(error, InternalFault)
    assert "Expected `int`, got `str`" in error.message
    pooling.submit(2)
    assert pooling.page(2)


def test_an_error_of_another_package_keeps_its_code(start: Start) -> None:
    """The parent, which cannot import it, has the nearest error that it knows."""
    pooling = start()
    pooling.submit(1, "fails-in-its-own-way")
    error = pooling.outcome(1).error
    assert type(error) is EngineFailed
    assert (error.message, error.remedy, error.code, error.retryable) == ("jammed", "open the flap", "paper-jam", False)


@pytest.mark.parametrize(
    "message",
    [
        framed(b"rubbish"),
        framed(b"", 1 << 60),
        struct.pack("!QQ", 1 << 60, 0).hex(),
        framed(msgspec.msgpack.encode(["Taken", 1])),
        framed(msgspec.msgpack.encode(["Warm", ["engine", "1", []]])),
        framed(msgspec.msgpack.encode(["Failed", 2, ["ScanFault", "of another scan", "", "", "", False]])),
        framed(b"\x93\xa6Failed\x01" + b"\x91" * 100_000),
    ],
)
def test_a_worker_that_sends_no_answer_is_replaced(start: Start, message: str) -> None:
    """Its scan has an internal fault, its death is told once, and the next scan is read."""
    pooling = start()
    pooling.submit(1, "taken-over", message)
    assert isinstance(pooling.outcome(1).error, InternalFault)
    (lost,) = pooling.events(WorkerLost)
    assert (lost.how, lost.phase, lost.scan) == ("sending invalid data and had to be killed", "reading", 1)
    pooling.submit(2)
    assert pooling.page(2)
