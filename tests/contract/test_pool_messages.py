"""What workers send: odd pages of other packages' engines, their errors, and what is no message at all."""

from __future__ import annotations

import json
import math
import struct

import msgspec
import pytest

from ocrwatch.document import Box, EngineInfo, PageSummary
from ocrwatch.errors import EngineFailed, InternalFault
from ocrwatch.executors.events import WorkerLost
from ocrwatch.executors.ipc import Read
from ocrwatch.render.base import RenderedPage
from tests.contract.pooling import Start, request
from tests.pages import sidecars_of


def framed(data: bytes, jpeg_length: int = 0) -> str:
    """Return a message in hexadecimal, as a worker that was taken over may send it."""
    return (struct.pack("!QQ", len(data), jpeg_length) + data).hex()


def test_numbers_of_numpy_and_infinite_ones_are_a_page(start: Start) -> None:
    """They come through as plain values.

    The summary and the JSON have no infinite number.
    """
    pooling = start()
    pooling.submit(1, "odd", wanted=request("txt", "json"))
    page = pooling.page(1)
    assert [(word.text, word.confidence) for word in page.words] == [("90.5", 90.5), ("inf", math.inf)]
    assert {type(word.confidence) for word in page.words} == {float}
    assert page.words[0].box == Box(0, 0, 1, 1)
    rendered = pooling.rendered(1)
    sidecars = sidecars_of(rendered)
    assert sidecars["txt"] == b"90.5 inf\n"
    (block,) = json.loads(sidecars["json"])["blocks"]
    assert [word["confidence"] for word in block["lines"][0]["words"]] == [90.5, None]
    assert (rendered.summary.words, rendered.summary.confidence) == (2, None)


@pytest.mark.parametrize(
    ("engine", "argument", "said"),
    [
        ("unsendable", "", "surrogates not allowed"),
        ("unsendable", "x", "object"),
        ("wrong-types", "", "Expected `int`, got `str`"),
    ],
)
def test_a_page_with_other_values_is_an_internal_fault(start: Start, engine: str, argument: str, said: str) -> None:
    """The fault names the engine and what is wrong; the worker lives on."""
    pooling = start()
    (worker,) = pooling.ready()
    pooling.submit(1, engine, argument)
    error = pooling.outcome(1).error
    assert isinstance(error, InternalFault)
    assert error.message.startswith(f"the engine {engine} returned an invalid page (")
    assert said in error.message
    pooling.submit(2)
    assert pooling.worker_of(2) == worker


def test_an_error_of_another_package_keeps_its_code(start: Start) -> None:
    """The parent, which cannot import it, has the nearest error that it knows."""
    pooling = start()
    pooling.submit(1, "fails-in-its-own-way")
    error = pooling.outcome(1).error
    assert type(error) is EngineFailed
    assert (error.message, error.remedy, error.code, error.retryable) == ("jammed", "open the flap", "paper-jam", False)


def read(*endings: str) -> str:
    """Return an answer with these sidecars."""
    summary = PageSummary(EngineInfo("echo", "1", ()), 0, None)
    return framed(msgspec.msgpack.encode(Read(1, RenderedPage(tuple((each, b"") for each in endings), summary))))


@pytest.mark.parametrize(
    "message",
    [
        read(),
        read("json"),
        read("txt", "json"),
        read("../../txt"),
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
