"""What the delivery thread does: together or alone, and each item gets what is its own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.backoff import Backoff, Cause
from ocrwatch.delivery.chosen_names import Places
from ocrwatch.delivery.deliveries import (
    ClearingItem,
    Deliveries,
    Item,
    LeftoverItem,
    PageItem,
    PlanItem,
    QuarantineItem,
)
from ocrwatch.delivery.duplicates import Duplicates
from ocrwatch.delivery.step_order import Delivered, Deliverer, Work
from ocrwatch.document import Field, Review, Standing
from ocrwatch.errors import Blocked, Changed, EnvironmentFault, OtherFormat
from ocrwatch.executors.rendering import render_page
from ocrwatch.ledger import Ledger
from ocrwatch.render.base import RenderedPage, RenderRequest, StoredSidecar
from ocrwatch.render.registry import endings
from ocrwatch.scan import Batch, Scan, ScanState, SettledFile
from ocrwatch.settings import Profile, recipe
from ocrwatch.storage.files import facts_of
from ocrwatch.storage.threads import Threads
from tests.core import Folders, sha256
from tests.fake_executor import page_of

FULL = EnvironmentFault("the disk is full")


class Watched(Deliverer):
    """Delivers, and remembers how; refuses what the test says."""

    def __init__(self, places: Places, ledger: Ledger) -> None:
        super().__init__(places, ledger, endings())
        self.calls: list[str] = []
        self.refused: dict[str, Exception] = {}
        """By path: what a delivery alone raises."""
        self.skipped: set[str] = set()
        """Paths that do not go together with others."""

    def deliver(self, work: Work) -> Delivered:
        """Deliver one."""
        self.calls.append(f"alone {work.path}")
        if work.path in self.refused:
            raise self.refused[work.path]
        return super().deliver(work)

    def deliver_together(self, works: Sequence[Work]) -> list[Delivered | None]:
        """Deliver several."""
        self.calls.append(" ".join(["together", *(work.path for work in works)]))
        usual = [work for work in works if work.path not in {*self.refused, *self.skipped}]
        sent = {delivered.path: delivered for delivered in super().deliver_together(usual) if delivered is not None}
        return [sent.get(work.path) for work in works]


class Post:
    """Deliveries with real folders and a real ledger."""

    def __init__(self, root: Path, *, duplicates: bool = False) -> None:
        self.folders = Folders(root)
        self.ledger = Ledger(self.folders.state)
        self.backoff = Backoff()
        self.threads = Threads()
        places = Places(self.folders.inbox, self.folders.outbox, self.folders.archive, self.folders.quarantine)
        self.deliverer = Watched(places, self.ledger)
        self.duplicates = (
            Duplicates(self.ledger, self.folders.outbox, self.folders.archive, "archive") if duplicates else None
        )
        self.deliveries = Deliveries(self.threads.delivery, self.deliverer, self.ledger, self.backoff, self.duplicates)
        self.settings = self.folders.settings()

    def scan(self, path: str, data: str = "") -> Scan:
        """Put a scan into the inbox and open its row, as loading does."""
        place = self.folders.put(path, data)
        options = self.settings.for_path(path)
        file = SettledFile(path, facts_of(place.lstat()), fresh=True, ready_at=0.0)
        scan = Scan(file, Batch(1, 1), options, recipe(options), sha256=sha256(data or path))
        scan.id = self.ledger.begin(path, file.facts, scan.sha256).id
        return scan

    def page(self, path: str, data: str = "", formats: tuple[str, ...] = ("txt",), **summary: Any) -> PageItem:
        """Return a page to be delivered, with this in its summary."""
        scan = self.scan(path, data)
        request = RenderRequest(formats, path.encode(), scan.file.facts.size, scan.sha256 or "")
        page = render_page(page_of(f"text of {path}"), request)
        page = replace(page, summary=replace(page.summary, **summary))
        return PageItem(scan, page, "archive", None, self.duplicates)

    def work(self, *items: Item) -> list[object]:
        """Do it; return what was delivered by path, or the error."""
        results = self.deliveries.work(items)
        return [each.path if isinstance(each, Delivered) else each for each in results]


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    """Open one."""
    found = Post(tmp_path)
    yield found
    found.threads.close()
    found.ledger.close()


@pytest.fixture
def once(tmp_path: Path) -> Iterator[Post]:
    """Open one in which the same bytes are delivered once."""
    found = Post(tmp_path, duplicates=True)
    yield found
    found.threads.close()
    found.ledger.close()


def delivered(*names: str) -> dict[str, str]:
    """Return the files that there are when these scans, and nothing else, were delivered."""
    return {
        **{f"archive/{name}.jpg": f"{name}.jpg" for name in names},
        **{f"outbox/{name}.txt": f"text of {name}.jpg\n" for name in names},
    }


def test_pages_go_together(post: Post) -> None:
    """In the time of one, each to its own place."""
    assert post.work(*map(post.page, ("a.jpg", "b.jpg", "c.jpg"))) == ["a.jpg", "b.jpg", "c.jpg"]
    assert post.deliverer.calls == ["together a.jpg b.jpg c.jpg"]
    assert post.folders.files() == delivered("a", "b", "c")


def test_a_single_page_goes_alone(post: Post) -> None:
    """There is nothing to share."""
    assert post.work(post.page("a.jpg")) == ["a.jpg"]
    assert post.deliverer.calls == ["alone a.jpg"]
    assert post.folders.files() == delivered("a")


def test_pages_go_together_as_far_as_nothing_else_comes_between(post: Post) -> None:
    """The order is kept: what is behind the first other item comes in the next call."""
    pages = [post.page(f"{name}.jpg") for name in "abc"]
    bad = QuarantineItem(post.scan("bad.jpg"), OtherFormat("it is a GIF"), post.ledger)
    assert post.work(pages[0], pages[1], bad, pages[2]) == ["a.jpg", "b.jpg"]
    assert post.work(bad, pages[2]) == ["bad.jpg"]
    assert post.work(pages[2]) == ["c.jpg"]
    assert post.deliverer.calls == ["together a.jpg b.jpg", "alone bad.jpg", "alone c.jpg"]
    files = post.folders.files()
    assert '"code": "other-format"' in files.pop("quarantine/bad.jpg.reason.json")
    assert files.pop("quarantine/bad.jpg") == "bad.jpg"
    assert files == delivered("a", "b", "c")


def test_in_a_pause_only_the_first_is_tried(post: Post) -> None:
    """What is behind it would only meet the same."""
    post.backoff.record(Cause.DELIVERY, FULL, 0.0)
    pages = [post.page(f"{name}.jpg") for name in "ab"]
    assert post.work(*pages) == ["a.jpg"]
    post.deliverer.refused["b.jpg"] = FULL
    with pytest.raises(EnvironmentFault, match="full"):
        post.work(pages[1])
    assert post.deliverer.calls == ["alone a.jpg", "alone b.jpg"]


@pytest.mark.parametrize("error", [Blocked("it is in use"), Changed("b.jpg"), ZeroDivisionError("a bug")])
def test_what_is_about_one_page_concerns_no_other(post: Post, error: Exception) -> None:
    """It is raised for that one; the others are delivered, and each once."""
    post.deliverer.refused["b.jpg"] = error
    pages = [post.page(f"{name}.jpg") for name in "abc"]
    assert post.work(*pages) == ["a.jpg", error, "c.jpg"]
    assert post.deliverer.calls == ["together a.jpg b.jpg c.jpg", "alone b.jpg"]
    files = post.folders.files()
    assert files.pop("inbox/b.jpg") == "b.jpg"
    assert files == delivered("a", "c")


def test_what_does_not_go_with_the_others_is_delivered_all_the_same(post: Post) -> None:
    """Each text is there once."""
    post.deliverer.skipped = {"a.jpg", "c.jpg"}
    assert post.work(*(post.page(f"{name}.jpg") for name in "abc")) == ["a.jpg", "b.jpg", "c.jpg"]
    assert post.deliverer.calls == ["together a.jpg b.jpg c.jpg", "alone a.jpg", "alone c.jpg"]
    assert post.folders.files() == delivered("a", "b", "c")


def test_nothing_is_delivered_twice_if_the_disk_gets_full_among_others(post: Post) -> None:
    """Those that went are told so; those that did not all get one error, and only the first of them was tried."""
    post.deliverer.refused = {"b.jpg": FULL, "d.jpg": FULL}
    pages = {name: post.page(f"{name}.jpg") for name in "abcd"}
    assert post.work(*pages.values()) == ["a.jpg", FULL, "c.jpg", FULL]
    assert post.deliverer.calls == ["together a.jpg b.jpg c.jpg d.jpg", "alone b.jpg"]
    post.deliverer.refused.clear()
    assert post.work(pages["b"], pages["d"]) == ["b.jpg", "d.jpg"]
    assert post.folders.files() == delivered("a", "b", "c", "d")
    assert {entry.state for entry in post.ledger.delivered_last(10)} == {"delivered"}


def test_a_ledger_that_refuses_is_told_to_all(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing shows in the outbox before it is noted, and nothing is lost."""
    pages = [post.page(f"{name}.jpg") for name in "ab"]

    def refuse(*_: object, **__: object) -> None:
        raise EnvironmentFault("cannot use the ledger")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "planned", refuse)
        first, second = post.work(*pages)
        assert first is second
        assert isinstance(first, EnvironmentFault)
    assert {name for name in post.folders.files() if not Path(name).name.startswith(".")} == {
        "inbox/a.jpg",
        "inbox/b.jpg",
    }
    assert post.work(*pages) == ["a.jpg", "b.jpg"]
    assert post.folders.files() == delivered("a", "b")


@pytest.mark.parametrize("count", [1, 3])
def test_memory_that_is_short_is_the_environments_fault(
    post: Post, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """No page is given up for it."""

    def work(_: PageItem) -> Work:
        raise MemoryError

    monkeypatch.setattr(PageItem, "work", work)
    pages = [post.page(f"{number}.jpg") for number in range(count)]
    if count == 1:
        with pytest.raises(EnvironmentFault, match="memory"):
            post.work(*pages)
    else:
        errors = post.work(*pages)
        assert len(set(map(id, errors))) == 1
        assert isinstance(errors[0], EnvironmentFault)


def test_a_second_text_of_the_same_bytes_is_not_delivered(once: Post) -> None:
    """Also if both come together: the first is delivered, and the other says what it repeats."""
    pages = [once.page("a.jpg", "same"), once.page("b.jpg", "same"), once.page("c.jpg", "other")]
    assert once.work(*pages) == ["a.jpg", "b.jpg", "c.jpg"]
    assert [None if page.earlier is None else page.earlier.path for page in pages] == [None, "a.jpg", None]
    assert sorted(once.folders.files()) == [
        "archive/a.jpg",
        "archive/b.jpg",
        "archive/c.jpg",
        "outbox/a.txt",
        "outbox/c.txt",
    ]


def test_a_duplicate_whose_text_is_fetched_in_a_pause_is_none_any_more(once: Post) -> None:
    """It was found to repeat another when the archive was away; when it is tried again, its own text is delivered."""
    once.work(once.page("a.jpg", "same"))
    again = once.page("b.jpg", "same")
    once.deliverer.refused["b.jpg"] = FULL
    with pytest.raises(EnvironmentFault):
        once.work(again)
    assert again.earlier is not None
    once.deliverer.refused.clear()
    once.folders.outbox.joinpath("a.txt").unlink()
    once.ledger.db.execute("DELETE FROM scans WHERE path = ?", (b"a.jpg",))
    assert once.work(again, once.page("c.jpg", "other")) == ["b.jpg", "c.jpg"]
    assert again.earlier is None
    assert once.folders.files()["outbox/b.txt"] == "text of b.jpg\n"


@pytest.mark.parametrize(("confidence", "noted"), [(54.321, 54.32), (None, None)])
def test_what_is_to_be_reviewed_is_said_by_the_summary(
    post: Post, confidence: float | None, noted: float | None
) -> None:
    """With the confidence, in two decimals; without a reason there is no review."""
    reasons = ("confidence 54", "read without enhancement")
    work = post.page("a.jpg", confidence=confidence, review_reasons=reasons).work()
    assert work.review == Review(reasons, noted)
    assert post.page("b.jpg", confidence=confidence).work().review is None


def test_sidecars_are_published_as_they_were_rendered(post: Post) -> None:
    """In the order of the worker; nothing is rendered here."""
    page = post.page("a.jpg", formats=("txt", "json"))
    assert [ending for ending, _ in page.work().contents] == ["json", "txt"]
    assert post.work(page) == ["a.jpg"]
    assert json.loads(post.folders.files()["outbox/a.json"])["source"]["path"] == "a.jpg"


def test_a_plan_of_an_earlier_run_is_carried_out(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text that was staged is published, and the original goes where it was to go."""
    page = post.page("a.jpg")

    def refuse(*_: object, **__: object) -> None:
        raise EnvironmentFault("cannot use the ledger")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "published", refuse)
        with pytest.raises(EnvironmentFault):
            post.work(page)
    (entry,) = post.ledger.unfinished()
    assert entry.state == "planned"
    assert post.work(PlanItem(entry)) == ["a.jpg"]
    assert post.folders.files() == delivered("a")


def test_a_reason_stays_small_however_often_the_same_bytes_came(post: Post) -> None:
    """The newest results are listed, and the others counted."""
    for _ in range(30):
        row = post.scan("old.jpg", "same bytes")
        post.ledger.close_scan(row.id, ScanState.QUARANTINED, code="other-format", reason="it is text")
    (post.folders.inbox / "old.jpg").unlink()
    scan = post.scan("new.jpg", "same bytes")
    assert post.work(QuarantineItem(scan, OtherFormat("it is text"), post.ledger)) == ["new.jpg"]
    said = json.loads((post.folders.quarantine / "new.jpg.reason.json").read_bytes())
    assert (len(said["earlier"]), said["earlier_not_listed"]) == (20, 10)


def test_what_was_staged_without_a_plan_is_removed(post: Post) -> None:
    """The scan itself stays where it is."""
    scan = post.scan("a.jpg")
    staged = post.folders.outbox / f".ocrwatch-{post.ledger.token}-{scan.id}.txt.tmp"
    staged.write_text("half a te")
    (entry,) = post.ledger.unfinished()
    assert post.work(LeftoverItem(entry)) == [None]
    assert post.folders.files() == {"inbox/a.jpg": "a.jpg"}


def test_what_could_not_be_removed_before_is_tried_again(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """When there is time, and once more at the end; a ledger that refuses is no reason for a pause."""
    cleared: list[str] = []
    monkeypatch.setattr(post.deliverer, "clear_away", lambda: cleared.append("away"))
    assert post.work(ClearingItem()) == [None]
    post.deliveries.close()
    assert cleared == ["away", "away"]

    def refuse() -> None:
        raise EnvironmentFault("cannot use the ledger")

    monkeypatch.setattr(post.deliverer, "clear_away", refuse)
    assert post.work(ClearingItem()) == [None]


@pytest.mark.parametrize(
    ("output", "listed"), [("", b"a.jpg,2026-11-27T20:28:50.000+00:00,12.50,read\r\n"), ("fields_csv", b"")]
)
def test_fields_of_a_page_are_listed_unless_the_settings_forbid_it(
    post: Post, output: str, listed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the profile, with the time at which the page was ready, however long it waits to be delivered."""
    clock = [1_795_811_330.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    profile = {"match": "**", "output": {output: False} if output else {}}
    fields = [{"name": "total", "type": "amount"}]
    post.settings = post.settings.model_copy(
        update={"profiles": (Profile.model_validate({**profile, "fields": fields}),)}
    )
    scan = post.scan("a.jpg")
    request = RenderRequest(("txt",), b"a.jpg", 1, "", fields=scan.options.fields)
    found = (Field("total", Standing.READ, "12.50", "12,50", "it was read"),)
    item = PageItem(scan, render_page(replace(page_of("text"), fields=found), request), "archive", None, None)
    clock[0] += 3600
    assert post.work(item) == ["a.jpg"]
    place = post.folders.outbox / "fields.csv"
    assert (place.read_bytes().splitlines(keepends=True)[1] if place.exists() else b"") == listed


def test_a_stored_sidecar_that_is_lost_is_said_to_be(post: Post) -> None:
    """The log does not say that the scan has changed; the next attempt reads it again."""
    item = post.page("a.jpg")
    assert "state folder" not in item.if_changed
    scan = post.scan("b.jpg")
    summary = render_page(page_of("text"), RenderRequest((), b"b.jpg", 1, "")).summary
    lost = PageItem(scan, RenderedPage((("txt", StoredSidecar("/nowhere", 1, "")),), summary), "archive", None, None)
    found, error = post.work(item)[0], post.work(lost)[0]
    assert found == "a.jpg"
    assert isinstance(error, Changed)
    assert "state folder is gone or damaged" in lost.if_changed
