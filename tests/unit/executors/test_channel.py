"""Whole objects over a private socket, every operation with a deadline."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from ocrwatch.errors import InternalFault
from ocrwatch.executors.channel import Channel, ChannelClosed
from ocrwatch.executors.messages import Failed, Job
from ocrwatch.recipe import Recipe

SOON = 0.2
LARGE = bytes(8_000_000)


class Ends:
    """Both ends: a channel, and the other one's bare socket."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.channel = Channel(ours)
        self.other = Channel(self.theirs)

    def close(self) -> None:
        """Close both."""
        self.channel.close()
        self.other.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Two connected ends."""
    ends = Ends()
    yield ends
    ends.close()


def soon() -> float:
    """Name a deadline that passes while the test waits."""
    return time.monotonic() + SOON


def test_objects_come_through_whole_and_in_order(ends: Ends) -> None:
    """Messages and errors arrive as they were sent, also those larger than any buffer."""
    job = Job(7, LARGE, Recipe(languages=("deu",)))

    def send() -> None:
        for message in (None, job, "last"):
            ends.other.send(message)

    sender = threading.Thread(target=send)
    sender.start()
    received = [ends.channel.receive(time.monotonic() + 10) for _ in range(3)]
    sender.join(10)
    assert received == [None, job, "last"]
    ends.channel.send(Failed(None, InternalFault("message", "remedy", "trace")), soon())
    failed = ends.other.receive(soon())
    assert (failed.error.message, failed.error.remedy, failed.error.trace) == ("message", "remedy", "trace")


def test_receiving_ends_at_the_deadline(ends: Ends) -> None:
    """A silent peer is waited for until then, not longer and not shorter."""
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        ends.channel.receive(begun + SOON)
    assert SOON * 0.9 < time.monotonic() - begun < SOON + 2


def test_sending_ends_at_the_deadline(ends: Ends) -> None:
    """A peer that does not read holds nobody longer than the deadline says."""
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        ends.channel.send(LARGE, begun + SOON)
    assert SOON * 0.9 < time.monotonic() - begun < SOON + 2


def test_a_deadline_in_the_past_ends_at_once(ends: Ends) -> None:
    """Nothing is sent or received when there is no time left."""
    with pytest.raises(TimeoutError):
        ends.channel.send("message", time.monotonic() - 1)
    with pytest.raises(TimeoutError):
        ends.channel.receive(time.monotonic() - 1)
    ends.other.send("message", soon())
    assert ends.channel.receive(soon()) == "message"


def test_a_peer_that_trickles_does_not_extend_the_deadline(ends: Ends) -> None:
    """Single bytes now and then are no progress that counts."""
    stop = threading.Event()

    def trickle() -> None:
        ends.theirs.sendall((1000).to_bytes(8, "big"))
        while not stop.wait(SOON / 10):
            ends.theirs.send(b"x")

    peer = threading.Thread(target=trickle)
    peer.start()
    begun = time.monotonic()
    try:
        with pytest.raises(TimeoutError):
            ends.channel.receive(begun + SOON)
        assert time.monotonic() - begun < SOON + 2
    finally:
        stop.set()
        peer.join(10)


def test_a_closed_peer_is_noticed(ends: Ends) -> None:
    """Neither sending nor receiving waits for an end that is gone."""
    ends.theirs.close()
    with pytest.raises(ChannelClosed):
        ends.channel.receive(time.monotonic() + 10)
    with pytest.raises(ChannelClosed):
        ends.channel.send(LARGE, time.monotonic() + 10)


@pytest.mark.parametrize("beginning", [b"\0\0", (100).to_bytes(8, "big"), (100).to_bytes(8, "big") + b"half"])
def test_half_a_message_is_none(ends: Ends, beginning: bytes) -> None:
    """A peer that dies in the middle of a message is gone; one that stops there is late."""
    ends.theirs.sendall(beginning)
    with pytest.raises(TimeoutError):
        ends.channel.receive(soon())
    ends.theirs.sendall(beginning)
    ends.theirs.close()
    with pytest.raises(ChannelClosed):
        ends.channel.receive(time.monotonic() + 10)


def test_what_was_sent_before_closing_arrives(ends: Ends) -> None:
    """An answer is not lost because its sender has ended since."""
    ends.other.send("last words", soon())
    ends.other.close()
    assert ends.channel.receive(soon()) == "last words"
    with pytest.raises(ChannelClosed):
        ends.channel.receive(soon())
