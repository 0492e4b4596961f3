"""Typed messages over a private socket, every operation with a deadline."""

from __future__ import annotations

import inspect
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrwatch import errors
from ocrwatch.document import EngineInfo, PageSummary
from ocrwatch.errors import (
    EngineFailed,
    EnvironmentFault,
    InternalFault,
    OcrwatchError,
    ScanFault,
    TooLarge,
    UsageError,
)
from ocrwatch.executors import ipc
from ocrwatch.executors.ipc import (
    Answer,
    BadMessage,
    Channel,
    ChannelClosed,
    Failed,
    Job,
    Read,
    RenderJob,
    Request,
    Setup,
    Taken,
    Warm,
    channel_to_parent,
    channel_to_worker,
)
from ocrwatch.recipe import Recipe
from ocrwatch.render.base import RenderedPage, RenderRequest
from tests.pages import rendered_pages

SOON = 0.2
REQUEST = RenderRequest(("txt", "json"), b"sub/\xff.jpg", 8_000_000, "ab" * 32, 75.0, ("odd",), 100, packs=True)
LARGE = Job(7, bytes(8_000_000), Recipe(languages=("deu",)), REQUEST)
ENGINE = EngineInfo("tesserocr", "5.5.0", ("eng",))
SUMMARY = PageSummary(ENGINE, 1, 96.33451843261719, preview="Grüße")
RENDERED = RenderedPage((("json", b"{}"), ("txt", b"Gr\xc3\xbc\xc3\x9fe\n")), SUMMARY, b"packed")


def warning_of(odd: Any) -> RenderedPage:
    """Return a rendered page with an odd value."""
    return replace(RENDERED, summary=replace(SUMMARY, warnings=(odd,)))


def with_pdf(size: int) -> Read:
    """Return an answer with a sidecar of this size."""
    return Read(7, replace(RENDERED, sidecars=(("pdf", bytes(size)),)))


class Ends:
    """Both ends, and the worker's bare socket."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.parent: Channel[Request, Answer] = channel_to_worker(ours)
        self.worker: Channel[Answer, Request] = channel_to_parent(self.theirs)

    def answered(self, answer: Any) -> Any:
        """Send an answer and return what arrives."""
        self.worker.send(answer, soon())
        return self.parent.receive(soon())

    def inject(self, data: bytes, *, content: bytes = b"") -> None:
        """Send bytes as a message of the worker's."""
        self.theirs.sendall(struct.pack("!QQ", len(data), len(content)) + data + content)

    def close(self) -> None:
        """Close both."""
        self.parent.close()
        self.worker.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Two connected ends."""
    ends = Ends()
    yield ends
    ends.close()


def soon() -> float:
    """Name a deadline that passes while the test waits."""
    return time.monotonic() + SOON


def test_requests_come_through_whole_and_in_order(ends: Ends) -> None:
    """Requests arrive as they were sent, also those larger than any buffer."""
    requests: list[Request] = [
        Setup((Recipe(), LARGE.recipe), ("txt", "json"), 10**9),
        Setup((), (), 0),
        LARGE,
        Job(8, b"", Recipe(), REQUEST),
        RenderJob(9, bytes(3_000_000), REQUEST),
        RenderJob(9, b"", RenderRequest((), b"a.jpg", 0, "")),
        RenderJob(9, bytes(2_000_000), REQUEST, bytes(3_000_000)),
        Job(10, b"x", Recipe(), REQUEST),
    ]

    def send() -> None:
        for request in requests:
            ends.parent.send(request)

    sender = threading.Thread(target=send)
    sender.start()
    received = [ends.worker.receive(time.monotonic() + 10) for _ in requests]
    sender.join(10)
    assert received == requests


def test_a_jpeg_is_bytes_also_without_a_deadline(ends: Ends) -> None:
    """The worker, which waits without end, gets the same bytes."""
    sender = threading.Thread(target=ends.parent.send, args=(LARGE,))
    sender.start()
    received = ends.worker.receive()
    sender.join(10)
    assert received == LARGE
    assert isinstance(received, Job)
    assert type(received.content) is bytes


def test_answers_come_through(ends: Ends) -> None:
    """Answers arrive as they were sent."""
    for answer in (Warm(ENGINE), Warm(None), Taken(7), Read(7, RENDERED)):
        assert ends.answered(answer) == answer


@given(rendered_pages())
def test_any_page_comes_through(page: RenderedPage) -> None:
    """A rendered page arrives equal to the last bit."""
    ends = Ends()
    try:
        assert ends.answered(Read(1, page)) == Read(1, page)
    finally:
        ends.close()


def errors_of_ours() -> list[type[OcrwatchError]]:
    """Return the classes of all errors that there are."""
    classes = [each for _, each in inspect.getmembers(errors, inspect.isclass)]
    return [each for each in classes if issubclass(each, OcrwatchError)]


@pytest.mark.parametrize("kind", errors_of_ours())
def test_every_error_comes_through_as_what_it_is(kind: type[OcrwatchError], ends: Ends) -> None:
    """An error has its class, message, remedy, trace and code again."""
    sent = InternalFault("message", "remedy", "trace") if kind is InternalFault else kind("message", "remedy")
    failed = ends.answered(Failed(None, sent))
    assert type(failed.error) is kind
    assert (failed.scan, failed.error.message, failed.error.remedy) == (None, "message", "remedy")
    for name in ("trace", "code", "retryable"):
        assert getattr(failed.error, name, None) == getattr(sent, name, None)


class _Jammed(EngineFailed):
    """An error of an engine from another package."""

    code = "paper-jam"
    retryable = False


class _Strange(_Jammed):
    """One whose message is no text, and whose code is none."""

    code = "../../etc\n"


def test_an_error_of_another_package_becomes_its_nearest_base(ends: Ends) -> None:
    """The parent, which loads no engine, has the base with the message and code of what was raised."""
    error = ends.answered(Failed(1, _Jammed("jammed", "open the flap"))).error
    assert type(error) is EngineFailed
    assert (error.message, error.remedy, error.code, error.retryable) == ("jammed", "open the flap", "paper-jam", False)
    error = ends.answered(Failed(1, _Strange(ValueError("\udcff odd")))).error  # type: ignore[arg-type]
    assert (type(error), error.message, error.code) == (EngineFailed, "\\udcff odd", "engine-failed")
    assert EngineFailed.code == "engine-failed"
    assert EngineFailed.retryable


def test_a_class_that_only_has_the_name_of_one_of_ours_is_not_taken_for_it(ends: Ends) -> None:
    """The class counts, not its name."""

    class UsageError(ScanFault):
        pass

    assert type(ends.answered(Failed(1, UsageError("message"))).error) is ScanFault


@pytest.mark.parametrize("odd", [object(), "\ud800", 1 << 70])
def test_what_cannot_be_encoded_raises_before_anything_is_sent(odd: Any, ends: Ends) -> None:
    """The next answer arrives whole."""
    with pytest.raises((TypeError, ValueError, OverflowError)):
        ends.worker.send(Read(1, warning_of(odd)))
    assert ends.answered(Taken(1)) == Taken(1)


def test_a_recipe_with_a_path_that_is_no_text_is_a_usage_error(ends: Ends) -> None:
    """The error shows the path."""
    with pytest.raises(UsageError, match=r"/srv/\\udcff"):
        ends.parent.send(Setup((Recipe(tessdata="/srv/\udcff"),), (), 0), soon())


PAGE = msgspec.msgpack.decode(msgspec.msgpack.encode(RENDERED))


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        ["Setup", [], [], 0],
        ["Job", 1, b"", {}, {}],
        ["RenderJob", 1, b"", {}],
        ["Unknown", 1],
        ["Taken"],
        ["Taken", "1"],
        ["Taken", 1, 2],
        ["Read", 1, None],
        ["Read", 1, {}],
        ["Read", 1, {**PAGE, "sidecars": [[[[[[]]]]]]}],
        ["Read", 1, {**PAGE, "sidecars": [["txt"]]}],
        ["Read", 1, {**PAGE, "sidecars": [["txt", 1]]}],
        ["Read", 1, {**PAGE, "sidecars": [[b"txt", b""]]}],
        ["Read", 1, {**PAGE, "packed": 1}],
        ["Read", 1, {**PAGE, "summary": {**PAGE["summary"], "words": "100"}}],
        ["Read", 1, {**PAGE, "summary": {**PAGE["summary"], "confidence": "high"}}],
        ["Warm", ["engine"]],
        ["Failed", 1, ["SystemExit", "", "", "", "", False]],
        ["Failed", 1, ["ScanFault"]],
        ["Failed", 1, {}],
        ["Failed", 1, None],
    ],
)
def test_an_answer_of_a_wrong_type_is_a_bad_message(answer: Any, ends: Ends) -> None:
    """The parent takes answers only, and no value that its type does not allow."""
    ends.inject(msgspec.msgpack.encode(answer))
    with pytest.raises(BadMessage):
        ends.parent.receive(soon())


def test_a_worker_takes_requests_only() -> None:
    """An answer is no request."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel_to_parent(ours).send(Taken(1), soon())
        with pytest.raises(BadMessage):
            channel_to_parent(theirs).receive(soon())


@given(st.binary(max_size=200))
def test_rubbish_is_a_bad_message(data: bytes) -> None:
    """Random bytes, also behind a good beginning, never raise anything else."""
    ends = Ends()
    good = msgspec.msgpack.encode(["Read", 1, PAGE])
    try:
        for rubbish in (data, good[: len(data)], good[: len(data)] + data):
            ends.inject(rubbish)
            with pytest.raises(BadMessage):
                ends.parent.receive(soon())
    finally:
        ends.close()


def test_sizes_that_a_worker_makes_up_take_no_memory(ends: Ends) -> None:
    """A message that says that it is huge, holds a huge array, or brings a JPEG is refused at once."""
    ends.theirs.sendall(struct.pack("!QQ", 1 << 40, 0))
    with pytest.raises(BadMessage):
        ends.parent.receive(soon())
    ends.inject(b"\xdd\xff\xff\xff\xff")
    with pytest.raises(BadMessage):
        ends.parent.receive(soon())
    ends.inject(msgspec.msgpack.encode(["Taken", 1]), content=b"x")
    with pytest.raises(BadMessage):
        ends.parent.receive(soon())


def test_an_answer_may_hold_its_scan(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PDF does. Larger answers are refused where they are made, with what to do, and where they arrive."""
    monkeypatch.setattr(ipc, "_MAX_LENGTH", 10_000)
    for job in (Job(7, bytes(20_000), Recipe(), REQUEST), RenderJob(7, b"page", REQUEST, bytes(20_000))):
        ends.parent.send(job, soon())
        ends.worker.receive(soon())
        assert ends.answered(Taken(7)) == Taken(7)
        large = with_pdf(49_000)
        assert ends.answered(large) == large
        with pytest.raises(
            TooLarge, match=r"its sidecars take 0 MB, more than 0; take large formats, such as pdf, out"
        ):
            ends.worker.send(with_pdf(51_000), soon())
        ends.theirs.sendall(struct.pack("!QQ", 51_000, 0))
        with pytest.raises(BadMessage):
            ends.parent.receive(soon())
    ends.parent.send(RenderJob(8, b"page", REQUEST), soon())
    ends.worker.receive(soon())
    with pytest.raises(TooLarge):
        ends.worker.send(with_pdf(49_000), soon())


def test_deep_nesting_is_a_bad_message(ends: Ends) -> None:
    """More arrays in each other than Python may recurse."""
    ends.inject(b"\x91" * 100_000)
    with pytest.raises(BadMessage):
        ends.parent.receive(soon())
    ends.inject(b"\x93\xa6Failed\x01" + b"\x91" * 100_000)
    with pytest.raises(BadMessage):
        ends.parent.receive(soon())


def test_receiving_ends_at_the_deadline(ends: Ends) -> None:
    """A silent peer is waited for until then, not longer and not shorter."""
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        ends.parent.receive(begun + SOON)
    assert SOON * 0.9 < time.monotonic() - begun < SOON + 2


def test_sending_ends_at_the_deadline(ends: Ends) -> None:
    """A peer that does not read is waited for until the deadline, not longer."""
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        ends.parent.send(LARGE, begun + SOON)
    assert SOON * 0.9 < time.monotonic() - begun < SOON + 2


def test_a_deadline_in_the_past_ends_at_once(ends: Ends) -> None:
    """Nothing is sent or received when there is no time left."""
    with pytest.raises(TimeoutError):
        ends.parent.send(Job(1, b"", Recipe(), REQUEST), time.monotonic() - 1)
    with pytest.raises(TimeoutError):
        ends.parent.receive(time.monotonic() - 1)
    assert ends.answered(Taken(1)) == Taken(1)


def test_a_peer_that_trickles_does_not_extend_the_deadline(ends: Ends) -> None:
    """Single bytes now and then are no progress that counts."""
    stop = threading.Event()

    def trickle() -> None:
        ends.theirs.sendall(struct.pack("!QQ", 1000, 0))
        while not stop.wait(SOON / 10):
            ends.theirs.send(b"x")

    peer = threading.Thread(target=trickle)
    peer.start()
    begun = time.monotonic()
    try:
        with pytest.raises(TimeoutError):
            ends.parent.receive(begun + SOON)
        assert time.monotonic() - begun < SOON + 2
    finally:
        stop.set()
        peer.join(10)


def test_a_closed_peer_is_noticed(ends: Ends) -> None:
    """Neither sending nor receiving waits for an end that is gone."""
    ends.theirs.close()
    with pytest.raises(ChannelClosed):
        ends.parent.receive(time.monotonic() + 10)
    with pytest.raises(ChannelClosed):
        ends.parent.send(LARGE, time.monotonic() + 10)


@pytest.mark.parametrize("beginning", [b"\0\0", struct.pack("!QQ", 100, 0), struct.pack("!QQ", 100, 0) + b"half"])
def test_half_a_message_is_none(ends: Ends, beginning: bytes) -> None:
    """A peer that dies in the middle of a message is gone; one that stops there is late."""
    ends.theirs.sendall(beginning)
    with pytest.raises(TimeoutError):
        ends.parent.receive(soon())
    ends.theirs.sendall(beginning)
    ends.theirs.close()
    with pytest.raises(ChannelClosed):
        ends.parent.receive(time.monotonic() + 10)


def test_half_a_jpeg_is_none(ends: Ends) -> None:
    """A worker whose parent dies while it sends a scan ends, too."""
    message = msgspec.msgpack.encode(["Job", 1, b"", {}, {}])
    ends.parent._socket.sendall(struct.pack("!QQ", len(message), 100) + message + b"half")
    ends.parent.close()
    with pytest.raises(ChannelClosed):
        ends.worker.receive()


def test_what_was_sent_before_closing_arrives(ends: Ends) -> None:
    """An answer is not lost because its sender has ended since."""
    ends.worker.send(Failed(1, EnvironmentFault("last words")), soon())
    ends.worker.close()
    last = ends.parent.receive(soon())
    assert isinstance(last, Failed)
    assert last.error.message == "last words"
    with pytest.raises(ChannelClosed):
        ends.parent.receive(soon())


class _HeldUp(socket.socket):
    """The socket of a sender that does not run between a call and the end of its peer."""

    def sendall(self, *arguments: Any) -> None:
        """Send, and be held up."""
        super().sendall(*arguments)
        poll = select.poll()
        poll.register(self, 0)
        assert poll.poll(10_000)


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (Setup((), ("no-such-format",), 0), Failed(None, EnvironmentFault("last words"))),
        (RenderJob(1, b"page", REQUEST), Taken(1)),
        (RenderJob(1, b"page", REQUEST), Failed(1, EngineFailed("last words"))),
    ],
)
def test_an_answer_arrives_even_if_its_worker_ends_before_its_sender_goes_on(message: Request, answer: Answer) -> None:
    """On a busy machine the sender may get the processor back only when the worker has answered and ended."""
    ours, theirs = socket.socketpair()

    def live() -> None:
        worker = channel_to_parent(theirs)
        worker.receive(time.monotonic() + 10)
        worker.send(answer, time.monotonic() + 10)
        worker.close()

    peer = threading.Thread(target=live)
    with _HeldUp(fileno=ours.detach()) as held_up:
        peer.start()
        parent = channel_to_worker(held_up)
        try:
            parent.send(message, time.monotonic() + 20)
        finally:
            peer.join(10)
        received = parent.receive(time.monotonic() + 10)
        assert type(received) is type(answer)
        assert received.scan == answer.scan  # type: ignore[union-attr]
        with pytest.raises(ChannelClosed):
            parent.receive(time.monotonic() + 10)


def test_an_answer_that_came_in_time_counts_whenever_it_is_received(ends: Ends) -> None:
    """The parent may have been stopped, or waited for the processor, until after the deadline."""
    past = time.monotonic() - 1
    ends.worker.send(Taken(7), soon())
    ends.worker.send(Read(7, RENDERED), soon())
    assert ends.parent.receive(past) == Taken(7)
    assert ends.parent.receive(past) == Read(7, RENDERED)
    with pytest.raises(TimeoutError):
        ends.parent.receive(past)
    ends.theirs.close()
    with pytest.raises(ChannelClosed):
        ends.parent.receive(past)


def test_half_an_answer_is_late_after_the_deadline(ends: Ends) -> None:
    """A peer that goes on sending does not extend the deadline."""
    ends.theirs.sendall(struct.pack("!QQ", 1000, 0) + b"half")
    with pytest.raises(TimeoutError):
        ends.parent.receive(time.monotonic() - 1)
