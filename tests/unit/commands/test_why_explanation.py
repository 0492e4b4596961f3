"""What is the matter with one scan, told from what each source says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ocrwatch.commands.why.explanation import Answer, Sources, answer, answer_by_list, ordinal
from ocrwatch.commands.why.result_files import with_presence
from ocrwatch.delivery.chosen_names import Plan, Sidecar
from ocrwatch.document import Review
from ocrwatch.errors import EnvironmentFault
from ocrwatch.ledger import Entry
from ocrwatch.observe.status import BeingRead, Incomplete, Resting, ServiceStatus, Status, isoformat
from ocrwatch.observe.status_documents import FileBeingRead
from ocrwatch.settings import Settings
from ocrwatch.storage.file_facts import FileFacts
from tests.unit.observe.statuses import status

JPEG = b"\xff\xd8\xff\xda\x00\x02\x01\xff\xd9"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Make the folders."""
    names = ("inbox", "outbox", "archive", "quarantine", "state")
    for name in names:
        (tmp_path / name).mkdir()
    return Settings.model_validate({name: tmp_path / name for name in names})


def row(path: str, state: str, **changes: object) -> Entry:
    """Return a row of the ledger."""
    plan = Plan(
        path, FileFacts(1, 2, 3, 4), None, "", "a", "delete", path, (Sidecar("t", "a.txt"),)
    ).to_json()  # fmt: skip
    values: dict[str, object] = {
        "id": 1, "path": path, "facts": "", "sha256": None, "state": state, "attempts": 1, "not_before": 0.0,
        "code": None, "reason": None, "plan": plan, "seen_at": 0.0, "updated_at": 0.0,
    }  # fmt: skip
    return Entry(**{**values, **changes})  # type: ignore[arg-type]


def ask(settings: Settings, path: str, *rows: Entry, told: Status | None = None) -> Answer:
    """Ask for a path."""
    return answer(Sources(settings, told, lambda at: at), path, rows)


@pytest.mark.parametrize(
    ("name", "is_explained"),
    [("fields.csv", True), ("sub/fields-2.csv", True), ("fields.txt", False), ("gone/fields.csv", False)],
)
def test_a_list_of_fields_is_no_scan(settings: Settings, name: str, *, is_explained: bool) -> None:
    """It is explained by its path in the outbox, or by its full path; one in another folder is not ocrwatch's."""
    (settings.outbox / "sub").mkdir()
    for folder in (settings.outbox, settings.archive):
        for known in ("fields.csv", "fields.txt"):
            (folder / known).write_text("file,read_at\n")
    (settings.outbox / "sub/fields-2.csv").write_text("file,read_at\n")
    sources = Sources(settings, None, lambda at: at)
    for file in (Path(name), settings.outbox / name):
        found = answer_by_list(sources, file)
        assert (found is not None and found.state == "ignored") is is_explained
    assert answer_by_list(sources, settings.archive / "fields.csv") is None


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("growing", "still being written"),
        (
            "incomplete",
            "and when it has not changed for 600 s, if only its end marker is missing; else it is quarantined; it last",
        ),
        (
            "another kind of file",
            "TIFF image, and no PDF. It is read when it is complete, and quarantined when it has not changed for 10 s",
        ),
        ("unreadable", "cannot be read by the user"),
    ],
)
def test_what_settles(settings: Settings, reason: str, said: str) -> None:
    """Each way of not being whole has its sentence, and since when."""
    (settings.inbox / "a.jpg").write_bytes(JPEG)
    found = ask(settings, "a.jpg", told=status(incomplete=[Incomplete("a.jpg", reason, isoformat(0))]))
    assert (found.state, found.since) == ("incomplete", isoformat(0))
    assert said in found.says


def test_what_was_found_damaged_and_is_waited_for(settings: Settings) -> None:
    """What was found is told, and when it is quarantined; without a daemon, what the last one found."""
    (settings.inbox / "a.jpg").write_bytes(JPEG)
    told = Incomplete("a.jpg", "damaged", isoformat(0), "a part is missing", isoformat(600))
    found = ask(settings, "a.jpg", told=status(incomplete=[told]))
    assert (found.state, found.since, found.code) == ("incomplete", isoformat(0), "damaged")
    assert "damaged: a part is missing. Its writer may not have finished: it is read again when it" in found.says
    assert f"quarantined at {isoformat(600)} if it does not" in found.says
    of_pages = ask(settings, "a.jpg", told=status(incomplete=[replace(told, has_pages=True)]))
    assert f"read as it is at {isoformat(600)} if it does not" in of_pages.says
    alone = ask(settings, "a.jpg", row("a.jpg", "queued", attempts=0, code="damaged", reason="a part is missing"))
    assert (alone.state, alone.code) == ("queued", "damaged")
    assert "found damaged: a part is missing; it is read again." in alone.says


def test_what_a_folder_holds_up(settings: Settings) -> None:
    """The reason and the next try are told."""
    (settings.inbox / "a.jpg").write_bytes(JPEG)
    held = Resting("a.jpg", 0, "blocked", "it cannot be moved out of sub", isoformat(90))
    found = ask(settings, "a.jpg", told=status(resting=[held]))
    assert (found.state, found.next_try) == ("blocked", isoformat(90))
    assert "cannot be moved out of sub" in found.says


def test_what_is_behind_those_in_hand(settings: Settings) -> None:
    """Of a scan that the status does not name, the file itself tells; with others before it that is said."""
    (settings.inbox / "a.jpg").write_bytes(JPEG)
    assert ask(settings, "a.jpg", told=status()).state == "settling"
    behind = ask(settings, "a.jpg", told=status(queue=["b.jpg"], queued=2000, more=True))
    assert (behind.state, "2000 others" in behind.says) == ("queued", True)
    (settings.inbox / "half.jpg").write_bytes(JPEG[:5])
    assert ask(settings, "half.jpg", told=status()).state == "incomplete"


@pytest.mark.parametrize(
    ("state", "changes", "expected", "said"),
    [
        ("planned", {}, "delivering", "are being delivered"),
        ("retrying", {"code": "timeout", "reason": "it took long", "attempts": 2}, "retrying", "failed twice (it took"),
        ("reading", {}, "changed", "taken out of the inbox"),
        ("delivered", {}, "delivered", "a.txt (not there any more), the original was deleted"),
        ("changed", {"reason": "it changed"}, "changed", "was not read: it changed"),
        ("quarantined", {"reason": "too odd", "code": "damaged"}, "quarantined", "could not be read: too odd"),
        ("quarantined", {"plan": None}, "quarantined", "not known any more"),
    ],
)
def test_what_only_the_ledger_knows(
    settings: Settings, state: str, changes: dict[str, object], expected: str, said: str
) -> None:
    """Of what is not in the inbox any more the ledger's last word counts, the others are told as the past."""
    earlier = row("a.jpg", "changed", reason="before")
    found = ask(settings, "a.jpg", earlier, row("a.jpg", state, **changes))
    assert found.state == expected
    assert said in found.says
    assert [past.reason for past in found.before] == ["before"]


def test_many_files_are_listed_with_commas() -> None:
    """Each that is missing is marked."""
    assert with_presence(["/no/a.txt"]) == "/no/a.txt (not there any more)"
    assert with_presence(["/", "/etc"]) == "/ and /etc"
    assert with_presence(["/", "/no/a.txt", "/etc"]) == "/, /no/a.txt (not there any more) and /etc"


def test_a_page_that_is_marked_for_review(settings: Settings) -> None:
    """Why, and the command that ticks it off; once ticked off, when that was, and nothing is to be done."""
    review = Review(("confidence 54", "62 % of the marks unread"), 54.2)
    found = ask(settings, "a.jpg", row("a.jpg", "delivered", review=review))
    assert found.says.endswith(" It is marked for review: confidence 54, 62 % of the marks unread.")
    assert found.remedy.endswith(f"mark it as reviewed: ocrwatch review --done {settings.outbox / 'a.txt'}")
    assert (found.review, found.reviewed_at) == (list(review.reasons), None)
    done = ask(settings, "a.jpg", row("a.jpg", "delivered", review=review, reviewed_at=60.0))
    assert (
        f"It was marked for review (confidence 54, 62 % of the marks unread), and was reviewed at {isoformat(60)}."
        in done.says
    )
    assert (done.remedy, done.reviewed_at) == ("", isoformat(60))
    odd = ask(settings, "a b.jpg", row("a b.jpg", "delivered", review=review, plan=None))
    assert odd.remedy.endswith("ocrwatch review --done 'a b.jpg'")


def test_what_nobody_knows(settings: Settings) -> None:
    """It is said, and that a file of such a name would not be read."""
    assert ask(settings, "a.jpg").state == "unknown"
    assert "watch.include" in ask(settings, "a.gif").says


def test_names_of_any_bytes(settings: Settings) -> None:
    """A name that is not UTF-8 is told as text."""
    assert ask(settings, "\udcff.jpg").path == "\\xff.jpg"


def test_an_inbox_that_is_away(settings: Settings) -> None:
    """Where the inbox cannot be looked into, nothing is claimed."""
    settings.inbox.rmdir()
    with pytest.raises(EnvironmentFault, match="cannot look into the inbox"):
        ask(settings, "a.jpg")


def test_ordinals() -> None:
    """Places in a line as people say them."""
    shown = [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)]
    assert shown == ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]


def with_services(settings: Settings, engine: object, of_b: str = "auto") -> Settings:
    """Return settings with two services; ``of_b`` is the engine of scans in the folder b."""
    services = [{"name": name, "preset": "generic", "url": f"https://{name}.example.org"} for name in ("cloud", "gpu")]
    profiles = [{"match": "b/**", "ocr": {"engine": of_b}}]
    folders = settings.model_dump(include={"inbox", "outbox", "archive", "quarantine", "state"})
    return Settings.model_validate({**folders, "remote": services, "ocr": {"engine": engine}, "profiles": profiles})


def away(name: str, next_try: float) -> ServiceStatus:
    """Return a service that is not available."""
    return ServiceStatus(
        name,
        f"https://{name}.example.org",
        paused_since=isoformat(0),
        reason="it answered 503",
        remedy="see it",
        next_try=isoformat(next_try),
    )


def test_a_scan_that_waits_for_a_service_says_so(settings: Settings) -> None:
    """With the reason, the remedy and when it is tried again; of several services the first that is."""
    (settings.inbox / "a.jpg").write_bytes(JPEG)
    told = status(queue=["a.jpg"], services=[away("cloud", 90), away("gpu", 60)])
    found = ask(with_services(settings, "remote:cloud"), "a.jpg", told=told)
    assert found.state == "queued"
    assert found.says == (
        f"is complete, and 1st in the queue. It waits for the service cloud, which has not been available since "
        f"{isoformat(0)}: it answered 503; it is tried again at {isoformat(90)}."
    )
    assert (found.remedy, found.next_try) == ("see it", isoformat(90))
    assert "service gpu" in ask(with_services(settings, ["remote:cloud", "remote:gpu"]), "a.jpg", told=told).says


@pytest.mark.parametrize(
    ("engine", "path"),
    [
        (["remote:cloud", "auto"], "a.jpg"),
        (["remote:cloud", "remote:gpu"], "a.jpg"),
        ("auto", "a.jpg"),
        ("auto", "b/a.jpg"),
    ],
)
def test_a_scan_that_others_read_does_not_wait_for_a_service(settings: Settings, engine: object, path: str) -> None:
    """Another engine of its profile takes over."""
    (settings.inbox / "b").mkdir()
    (settings.inbox / path).write_bytes(JPEG)
    told = status(queue=[path], services=[away("cloud", 90), ServiceStatus("gpu", "https://gpu.example.org")])
    waits = path.startswith("b/")
    found = ask(with_services(settings, engine, "remote:cloud"), path, told=told)
    assert ("service cloud" in found.says) is waits


def test_a_scan_that_is_being_read_does_not_wait_for_a_service(settings: Settings) -> None:
    """It has its turn."""
    (settings.inbox / "a.jpg").write_bytes(JPEG)
    told = status(being_read=[BeingRead("a.jpg", 7, 1, isoformat(0))], services=[away("cloud", 90)])
    assert "service" not in ask(with_services(settings, "remote:cloud"), "a.jpg", told=told).says


@pytest.mark.parametrize(
    ("pages", "says"),
    [
        ((), "is being read since 1970-01-01T00:00:00+00:00: 122 of 500 pages done."),
        ((123,), "is being read since 1970-01-01T00:00:00+00:00: 122 of 500 pages done; now page 123."),
        ((123, 125), "is being read since 1970-01-01T00:00:00+00:00: 122 of 500 pages done; now pages 123 and 125."),
    ],
)
def test_a_file_of_several_pages_says_how_far_it_is(settings: Settings, pages: tuple[int, ...], says: str) -> None:
    """Also while none of its pages is with a worker, though others of them are queued."""
    (settings.inbox / "a.pdf").write_bytes(b"%PDF-1.4")
    told = status(
        files=[FileBeingRead("b.pdf", 9, 1, isoformat(0)), FileBeingRead("a.pdf", 500, 122, isoformat(0))],
        being_read=[BeingRead("b.pdf", 6, 1, isoformat(9), 2)]
        + [BeingRead("a.pdf", 7, 1, isoformat(9), number) for number in pages],
        queue=["a.pdf"],
    )
    answered = ask(settings, "a.pdf", told=told)
    assert (answered.state, answered.says, answered.since) == ("reading", says, isoformat(0))
