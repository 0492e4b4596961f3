"""A file kept up to date on a thread of its own."""

from __future__ import annotations

import threading
import time

import pytest

from ocrwatch.errors import EnvironmentFault
from ocrwatch.observe import status_txt_writer
from ocrwatch.observe.status_txt_writer import StatusTextWriter
from tests.waiting import until


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_txt_writer, "SHORTEST_INTERVAL", 0.05)
    monkeypatch.setattr(status_txt_writer, "RETRY_INTERVAL", 0.02)


class Share:
    """Takes texts, or refuses or delays them."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.times: list[float] = []
        self.tries = 0
        self.refusal: Exception | None = None
        self.open = threading.Event()
        self.open.set()

    def post(self, text: str) -> None:
        """Take a text."""
        self.tries += 1
        self.open.wait(20)
        if self.refusal is not None:
            raise self.refusal
        self.texts.append(text)
        self.times.append(time.monotonic())


def test_only_what_is_new_is_posted() -> None:
    """The same text again is no reason to write; the end posts what was offered last."""
    share = Share()
    subject = StatusTextWriter(share.post)
    for text in ("a", "a", "a"):
        subject.offer(text)
        until(lambda: share.texts)
    subject.close()
    assert share.texts == ["a"]


def test_many_changes_are_few_writes() -> None:
    """A busy daemon does not rewrite the file for each scan; the newest text wins."""
    share = Share()
    subject = StatusTextWriter(share.post)
    for number in range(2000):
        subject.offer(str(number))
    until(lambda: share.texts[-1:] == ["1999"])
    assert len(share.texts) <= 4
    assert all(later - earlier >= 0.05 for earlier, later in zip(share.times, share.times[1:], strict=False))
    subject.close()


@pytest.mark.parametrize("refusal", [OSError(28, "full"), EnvironmentFault("another file system", "mount it")])
def test_what_is_refused_is_tried_again_in_silence(refusal: Exception, capfd: pytest.CaptureFixture[str]) -> None:
    """A full or missing share is nobody's alarm here; when it takes the text again, the text comes."""
    share = Share()
    share.refusal = refusal
    subject = StatusTextWriter(share.post)
    subject.offer("a")
    until(lambda: share.tries >= 3)
    share.refusal = None
    until(lambda: share.texts == ["a"])
    subject.close()
    assert capfd.readouterr() == ("", "")


def test_the_end_posts_the_last_text_at_once() -> None:
    """Also within the interval in which nothing else is written."""
    share = Share()
    subject = StatusTextWriter(share.post)
    subject.offer("working")
    until(lambda: share.texts)
    subject.offer("stopped")
    subject.close()
    assert share.texts == ["working", "stopped"]


def test_a_share_that_hangs_stalls_neither_work_nor_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offering takes no time, and the end waits a moment only."""
    monkeypatch.setattr(status_txt_writer, "_PATIENCE_AT_END", 0.1)
    share = Share()
    share.open.clear()
    subject = StatusTextWriter(share.post)
    subject.offer("a")
    until(lambda: share.tries)
    subject.offer("b")
    subject.close()
    assert share.texts == []
    share.open.set()
    until(lambda: share.texts == ["a", "b"])
