"""From a result to files, in an order that survives being killed at any step."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ocrwatch.delivery.chosen_names import Fate
from ocrwatch.delivery.step_order import Deliverer
from ocrwatch.delivery.steps import Steps
from ocrwatch.document import Review
from ocrwatch.errors import Changed, EnvironmentFault
from ocrwatch.ledger import Ledger
from tests.scripted import refuse
from tests.unit.delivery.interruption import FileSystem, Interruption, Killed
from tests.unit.delivery.workspace import ENDINGS, FIELDS, JPEG, PAGE, PAGE_OF_THREE, REASON, REVIEW, Workspace

Make = Callable[[Path | None], Workspace]
FATES = ("archive", "keep", "delete", "quarantine")
FILE_SYSTEMS = ("usual", "no renameat2", "no hard links", "no inodes")


def killed_everywhere(
    make: Callable[[], Workspace],
    interruption: Interruption,
    fate: Fate,
    once_planned: Callable[[Workspace], None] = lambda _: None,
) -> list[str]:
    """Run undisturbed, then die at each step and start again; return the steps whose end is another one."""

    def end(at: int | None) -> tuple[dict[str, bytes], dict[str, int], list[tuple[str, Review | None]], str]:
        space = make()
        interruption.begin(at)
        deliverer = space.deliverer(interruption, lambda: once_planned(space))
        died = ""
        try:
            space.run(fate, deliverer)
        except Killed as killed:
            died = str(killed)
            interruption.begin()
            # As after a restart: the ledger is opened again, and nothing is remembered but what it says.
            space.ledger.close()
            space.ledger = Ledger(space.root / "state")
            space.run(fate, space.deliverer(interruption, lambda: once_planned(space)))
        return space.files(), space.states(), space.reviews(), died

    wanted_files, wanted_states, wanted_reviews, _ = end(None)
    assert wanted_reviews == ([] if fate == "quarantine" else [("sub/scan1.jpg", REVIEW)])
    steps = len(interruption.steps)
    assert steps > 5
    wrong: list[str] = []
    for at in range(steps):
        files, states, reviews, died = end(at)
        assert died
        if (files, states, reviews) != (wanted_files, wanted_states, wanted_reviews):
            wrong.append(f"step {at}, before {died}: {sorted(files)} {states} instead of {sorted(wanted_files)}")
    return wrong


@pytest.mark.parametrize("file_system", FILE_SYSTEMS)
@pytest.mark.parametrize("fate", FATES)
def test_killed_at_any_step_it_ends_as_if_undisturbed(
    fate: Fate, file_system: FileSystem, interruption: Interruption, workspaces: Make
) -> None:
    """Whatever the file system offers: the same sidecars, the original put away once, nothing temporary left."""
    assert killed_everywhere(lambda: workspaces(None), interruption, fate) == []


@pytest.mark.parametrize("fate", ["archive", "quarantine"])
def test_killed_at_any_step_across_file_systems(
    fate: Fate, interruption: Interruption, workspaces: Make, other_device: Path
) -> None:
    """Where the original has to be copied, it is there once in the end as well."""
    assert killed_everywhere(lambda: workspaces(other_device), interruption, fate) == []


def with_fields(make: Make) -> Callable[[], Workspace]:
    """Return what makes workspaces whose scan has a line in the list of fields."""

    def made() -> Workspace:
        space = make(None)
        space.fields = FIELDS
        return space

    return made


@pytest.mark.parametrize("file_system", FILE_SYSTEMS)
@pytest.mark.parametrize("fate", ["archive", "keep", "delete"])
def test_killed_at_any_step_a_scan_has_one_line_in_the_list_of_fields(
    fate: Fate, file_system: FileSystem, interruption: Interruption, workspaces: Make
) -> None:
    """In the end, the list is to the byte that of an undisturbed run, and nothing temporary is left."""
    assert killed_everywhere(with_fields(workspaces), interruption, fate) == []
    space = with_fields(workspaces)()
    interruption.begin()
    space.run(fate, space.deliverer(interruption))
    (listed,) = (space.places.outbox / "sub/fields.csv").read_bytes().splitlines()[1:]
    assert listed.startswith(b"scan1.jpg,")


@pytest.mark.parametrize(
    "before", [b"", b"other,columns\r\n1,2\r\n", FIELDS.header, FIELDS.header + b'scan0.jpg,torn "off']
)
def test_killed_at_any_step_a_list_that_was_there_is_continued(
    before: bytes, interruption: Interruption, workspaces: Make
) -> None:
    """Whatever it contains: an empty one, one of others, one without lines, one whose last line was cut off."""

    def there(space: Workspace) -> None:
        (space.places.outbox / "sub/fields.csv").write_bytes(before)

    assert killed_everywhere(with_fields(workspaces), interruption, "archive", there) == []


@pytest.mark.parametrize("name", ["scan1.json", "scan1.txt"])
def test_killed_at_any_step_the_list_has_the_name_that_is_free_in_the_end(
    name: str, interruption: Interruption, workspaces: Make
) -> None:
    """Also if a stranger takes the planned one, or that of the original, at the last moment."""

    def stranger(space: Workspace) -> None:
        (space.places.outbox / "sub" / name).write_bytes(b"a stranger's")
        (space.places.archive / "sub").mkdir(exist_ok=True)
        (space.places.archive / "sub/scan1-2.jpg").write_bytes(b"a stranger's")

    assert killed_everywhere(with_fields(workspaces), interruption, "archive", stranger) == []
    space = with_fields(workspaces)()
    interruption.begin()
    space.run("archive", space.deliverer(interruption, lambda: stranger(space)))
    (listed,) = (space.places.outbox / "sub/fields.csv").read_bytes().splitlines()[1:]
    assert listed.startswith(b"scan1-3.jpg,")


@pytest.mark.parametrize("file_system", FILE_SYSTEMS)
def test_killed_at_any_step_with_a_format_of_another_package(interruption: Interruption, workspaces: Make) -> None:
    """A third sidecar comes and goes with the two that are built in."""

    def make() -> Workspace:
        space = workspaces(None)
        space.page = PAGE_OF_THREE
        return space

    assert killed_everywhere(make, interruption, "archive") == []


@pytest.mark.parametrize("file_system", FILE_SYSTEMS)
def test_killed_at_any_step_and_restarted_without_a_format(interruption: Interruption, workspaces: Make) -> None:
    """A plan is carried out with the sidecar of a format that is gone; without a plan, what was staged of it goes."""
    ends: set[bool] = set()
    at = 0
    while True:
        space = workspaces(None)
        space.page = PAGE_OF_THREE
        interruption.begin(at)
        try:
            space.run("archive", space.deliverer(interruption))
            interruption.begin()
            break
        except Killed as killed:
            died = f"step {at}, before {killed}"
            interruption.begin()
        space.ledger.close()
        space.ledger = Ledger(space.root / "state")
        space.page = PAGE
        space.run("archive", space.deliverer(interruption))
        sidecars = PAGE_OF_THREE if "outbox/sub/scan1.marks.csv" in space.files() else PAGE
        wanted = {f"outbox/sub/scan1.{ending}": content for ending, content in sidecars}
        assert space.files() == wanted | {"archive/sub/scan1.jpg": JPEG}, died
        assert space.states() == {"delivered": 1}, died
        ends.add(sidecars is PAGE)
        at += 1
    assert ends == {False, True}


def test_the_sidecars_of_a_format_that_is_gone_keep_their_names(space: Workspace, interruption: Interruption) -> None:
    """Another scan of the same name gets no text beside a sidecar that is not its own."""
    space.page = PAGE_OF_THREE
    space.run("archive", space.deliverer(interruption))
    for name in ("outbox/sub/scan1.json", "outbox/sub/scan1.txt", "archive/sub/scan1.jpg"):
        (space.root / name).unlink()
    space.original.write_bytes(JPEG)
    space.page = PAGE
    space.deliverer(interruption).deliver(space.work("archive"))
    assert sorted(space.files()) == [
        "archive/sub/scan1-2.jpg",
        "outbox/sub/scan1-2.json",
        "outbox/sub/scan1-2.txt",
        "outbox/sub/scan1.marks.csv",
    ]


@pytest.mark.parametrize("name", ["scan1.json", "scan1.txt"])
def test_killed_at_any_step_while_a_stranger_takes_a_name(
    name: str, interruption: Interruption, workspaces: Make
) -> None:
    """When a planned name is taken by somebody else, all sidecars still end under one other stem."""

    def stranger(space: Workspace) -> None:
        (space.places.outbox / "sub" / name).write_bytes(b"a stranger's")

    assert killed_everywhere(lambda: workspaces(None), interruption, "archive", stranger) == []


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("fate", ["archive", "quarantine"])
def test_killed_at_any_step_while_a_stranger_takes_the_originals_name(
    fate: Fate, interruption: Interruption, workspaces: Make, other_device: Path, *, elsewhere: bool
) -> None:
    """When the original's planned name is taken in the archive or quarantine, it is there once under another."""

    def stranger(space: Workspace) -> None:
        root = space.places.archive if fate == "archive" else space.places.quarantine
        (root / "sub").mkdir(exist_ok=True)
        (root / "sub/scan1.jpg").write_bytes(b"a stranger's")

    make = (lambda: workspaces(other_device)) if elsewhere else (lambda: workspaces(None))
    assert killed_everywhere(make, interruption, fate, stranger) == []


def test_a_result_becomes_sidecars_and_the_original_goes_to_the_archive(space: Workspace, deliverer: Deliverer) -> None:
    """Subfolders are mirrored, the sidecars hold what was rendered, and the ledger closes the scan."""
    done = deliverer.deliver(space.work("archive"))
    assert space.files() == {
        "outbox/sub/scan1.json": PAGE[0][1],
        "outbox/sub/scan1.txt": PAGE[1][1],
        "archive/sub/scan1.jpg": JPEG,
    }
    assert done.sidecars == ("sub/scan1.json", "sub/scan1.txt")
    assert done.original == "sub/scan1.jpg"
    assert done.review == space.ledger.get(done.scan).review == REVIEW
    assert space.states() == {"delivered": 1}
    assert (space.places.outbox / "sub/scan1.txt").stat().st_mode & 0o777 == 0o640


def test_a_kept_original_stays_and_a_deleted_one_goes(workspaces: Make) -> None:
    """The original is what the setting says."""
    for fate, left in (("keep", ["inbox/sub/scan1.jpg"]), ("delete", list[str]())):
        space = workspaces(None)
        done = Deliverer(space.places, space.ledger, ENDINGS).deliver(
            space.work("keep" if fate == "keep" else "delete")
        )
        assert done.original is None
        assert [name for name in space.files() if name.endswith("jpg")] == left
        assert space.states() == {"delivered": 1}


def test_a_scan_that_cannot_be_read_goes_to_quarantine_with_the_reason(space: Workspace, deliverer: Deliverer) -> None:
    """Original and reason lie side by side; the ledger knows why."""
    done = deliverer.deliver(space.work("quarantine"))
    assert space.files() == {
        "quarantine/sub/scan1.jpg": JPEG,
        "quarantine/sub/scan1.jpg.reason.json": REASON[0][1],
    }
    assert (done.original, done.sidecars) == ("sub/scan1.jpg", ("sub/scan1.jpg.reason.json",))
    assert space.ledger.get(done.scan).code == "damaged"
    assert space.states() == {"quarantined": 1}


def test_one_stem_is_free_for_all_of_a_scans_files(space: Workspace, deliverer: Deliverer) -> None:
    """A name taken in outbox or archive moves sidecars and original together to the next number."""
    for number in range(1, 4):
        space.original.write_bytes(JPEG)
        done = deliverer.deliver(space.work("archive"))
        suffix = "" if number == 1 else f"-{number}"
        assert done.original == f"sub/scan1{suffix}.jpg"
        assert done.sidecars == (f"sub/scan1{suffix}.json", f"sub/scan1{suffix}.txt")
    (space.places.outbox / "sub/scan1-2.txt").unlink()
    space.original.write_bytes(JPEG)
    assert deliverer.deliver(space.work("archive")).original == "sub/scan1-4.jpg"


def change(path: Path) -> None:
    """Write one byte more."""
    path.write_bytes(JPEG + b"x")


def swap_folder(path: Path) -> None:
    """Put a link in the place of the folder that the file is in."""
    path.parent.rename(path.parents[2] / "moved")
    path.parent.symlink_to(path.parents[2] / "moved")


def file_for_folder(path: Path) -> None:
    """Put a file in the place of the folder that the file is in."""
    path.unlink()
    path.parent.rmdir()
    path.parent.write_bytes(b"")


@pytest.mark.parametrize("meddle", [change, Path.unlink, swap_folder, file_for_folder])
@pytest.mark.parametrize("fate", FATES)
def test_a_scan_that_changed_is_not_delivered(
    fate: Fate, meddle: Callable[[Path], None], space: Workspace, deliverer: Deliverer
) -> None:
    """If the file, or the folder it is in, changed or went while it was read, nothing is published."""
    work = space.work(fate)
    meddle(space.original)
    before = space.files()
    with pytest.raises(Changed):
        deliverer.deliver(work)
    assert space.files() == before
    assert space.states() == {"changed": 1}


def test_a_touched_scan_is_delivered(space: Workspace, deliverer: Deliverer) -> None:
    """A NAS that only touches the file does not have it read again."""
    work = space.work("archive")
    os.utime(space.original, ns=(0, 0))
    assert deliverer.deliver(work).original == "sub/scan1.jpg"


def test_a_folder_that_refuses_is_the_environments_fault_and_it_goes_on_later(
    space: Workspace, deliverer: Deliverer
) -> None:
    """An outbox that is away leaves the scan where it is; the same work succeeds when the outbox is back."""
    work = space.work("archive")
    space.places.outbox.rename(space.root / "away")
    with pytest.raises(EnvironmentFault, match="outbox"):
        deliverer.deliver(work)
    assert space.original.exists()
    (space.root / "away").rename(space.places.outbox)
    assert deliverer.deliver(work).sidecars == ("sub/scan1.json", "sub/scan1.txt")


def test_an_archive_that_is_away_does_not_publish_twice(space: Workspace, deliverer: Deliverer) -> None:
    """What was published before the archive refused is not published again under another name."""
    work = space.work("archive")
    space.places.archive.rename(space.root / "away")
    for _ in range(2):
        with pytest.raises(EnvironmentFault, match="archive"):
            deliverer.deliver(work)
    (space.root / "away").rename(space.places.archive)
    deliverer.deliver(work)
    assert sorted(space.files()) == ["archive/sub/scan1.jpg", "outbox/sub/scan1.json", "outbox/sub/scan1.txt"]


def test_a_reason_that_was_left_behind_is_not_overwritten(space: Workspace, deliverer: Deliverer) -> None:
    """A quarantined scan that was taken out again left its reason: the next one chooses another name."""
    (space.places.quarantine / "sub").mkdir()
    (space.places.quarantine / "sub/scan1.jpg.reason.json").write_bytes(b"older")
    assert deliverer.deliver(space.work("quarantine")).original == "sub/scan1-2.jpg"
    assert (space.places.quarantine / "sub/scan1.jpg.reason.json").read_bytes() == b"older"


def test_quarantine_names_taken_after_planning_do_not_stop_it(space: Workspace, interruption: Interruption) -> None:
    """Both the original's next name and that name's reason are taken: a name is found that is free for both."""

    def stranger() -> None:
        for name in ("scan1.jpg", "scan1-2.jpg.reason.json"):
            (space.places.quarantine / "sub" / name).write_bytes(b"a stranger's")

    done = space.deliverer(interruption, stranger).deliver(space.work("quarantine"))
    assert done.original == "sub/scan1-3.jpg"
    assert done.sidecars == ("sub/scan1-3.jpg.reason.json",)


def test_a_link_in_the_outbox_leads_nowhere(space: Workspace, deliverer: Deliverer) -> None:
    """Where a subfolder of the outbox is a link, nothing is written where it leads: the folder gets a number."""
    (space.root / "outside").mkdir()
    (space.places.outbox / "sub").symlink_to(space.root / "outside")
    done = deliverer.deliver(space.work("archive"))
    assert done.sidecars == ("sub-2/scan1.json", "sub-2/scan1.txt")
    assert done.original == "sub-2/scan1.jpg"
    assert list((space.root / "outside").iterdir()) == []


def test_an_outbox_that_is_emptied_meanwhile_is_filled_again(space: Workspace, interruption: Interruption) -> None:
    """What somebody deletes between its writing and its publishing is written once more, before the original goes."""

    def stranger() -> None:
        for path in (space.places.outbox / "sub").iterdir():
            path.unlink()

    done = space.deliverer(interruption, stranger).deliver(space.work("archive"))
    assert done.sidecars == ("sub/scan1.json", "sub/scan1.txt")
    assert (space.places.outbox / "sub/scan1.txt").read_bytes() == PAGE[1][1]


@pytest.mark.parametrize("before", ["claim", "publish"])
def test_a_line_that_was_removed_while_nothing_ran_is_made_again(
    before: str, workspaces: Make, interruption: Interruption, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at any step as well. A plan has no values: the scan is read again, since no text was published."""

    def die(*_: object, **__: object) -> None:
        raise Killed(before)

    def end(at: int | None) -> tuple[dict[str, bytes], int]:
        space = with_fields(workspaces)()
        interruption.begin()
        with monkeypatch.context() as dying:
            dying.setattr(Steps, before, die)
            with pytest.raises(Killed):
                space.run("archive", space.deliverer(interruption))
        (line,) = space.places.outbox.rglob("*.fields-line*")
        line.unlink()
        interruption.begin(at)
        with contextlib.suppress(Killed):
            space.run("archive", space.deliverer(interruption))
        steps = len(interruption.steps)
        interruption.begin()
        space.run("archive", space.deliverer(interruption))
        return space.files(), steps

    wanted, steps = end(None)
    assert steps > 30
    assert sorted(wanted) == [
        "archive/sub/scan1.jpg",
        "outbox/sub/fields.csv",
        "outbox/sub/scan1.json",
        "outbox/sub/scan1.txt",
    ]
    assert wanted["outbox/sub/fields.csv"].count(b"scan1.jpg,") == 1
    assert [at for at in range(steps) if end(at)[0] != wanted] == []


def test_discarding_removes_what_a_killed_run_staged(space: Workspace, interruption: Interruption) -> None:
    """Sidecars that were written without a plan are cleared away, other files are not."""
    (space.places.outbox / ".ocrwatch-other-1.txt.tmp").write_bytes(b"another's")
    interruption.begin()
    work, deliverer = space.work("archive"), space.deliverer(interruption)
    steps = 0
    while not any("/.ocrwatch" in name and "other" not in name for name in space.files()):
        interruption.begin(steps := steps + 1)
        with pytest.raises(Killed):
            deliverer.deliver(work)
    interruption.begin()
    deliverer.discard(work.scan, work.path)
    assert sorted(space.files()) == ["inbox/sub/scan1.jpg", "outbox/.ocrwatch-other-1.txt.tmp"]


def test_what_was_staged_in_a_folder_that_was_swapped_for_a_link_is_removed_when_it_is_back(
    space: Workspace, interruption: Interruption
) -> None:
    """The text goes elsewhere, and nothing unfinished is left in the folder."""
    folder, away = space.places.outbox / "sub", space.places.outbox / "away"

    swaps = iter([True])

    def swap() -> None:
        if next(swaps, False):
            folder.rename(away)
            folder.symlink_to(space.places.inbox)

    deliverer = space.deliverer(interruption, swap)
    work = space.work("archive")
    with pytest.raises(EnvironmentFault):
        deliverer.deliver(work)
    assert deliverer.deliver(work).sidecars == ("sub-2/scan1.json", "sub-2/scan1.txt")
    assert any(path.name.startswith(".") for path in away.iterdir())
    folder.unlink()
    away.rename(folder)
    space.original.write_bytes(JPEG)
    deliverer.deliver(space.work("archive"))
    assert not [name for name in space.files() if "/." in name]


def test_a_name_that_only_a_new_format_has_is_seen(space: Workspace, interruption: Interruption) -> None:
    """A format became usable after the endings were collected, and its sidecar of an earlier scan is still there."""
    deliverer = space.deliverer(interruption)
    space.page = (("alto.xml", b"<alto/>"), *space.page)
    (space.places.outbox / "sub").mkdir(parents=True)
    (space.places.outbox / "sub/scan1.alto.xml").write_bytes(b"an earlier scan's")
    delivered = deliverer.deliver(space.work("archive"))
    assert {name.rpartition("/")[2].partition(".")[0] for name in delivered.sidecars} == {"scan1-2"}
    assert (space.places.outbox / "sub/scan1.alto.xml").read_bytes() == b"an earlier scan's"


def test_names_that_are_always_taken_are_a_fault_of_the_environment(
    space: Workspace, interruption: Interruption, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The delivery thread must not try without end."""
    monkeypatch.setattr(Steps, "publish", refuse(FileExistsError("taken")))
    with pytest.raises(EnvironmentFault, match="is taken at once"):
        space.deliverer(interruption).deliver(space.work("archive"))
