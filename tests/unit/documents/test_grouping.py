"""Which pages belong together, and when no further one is waited for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest

from ocrwatch.documents.grouping import COUNTER, END, NEXT, QUIET, RESTART, Grouping
from ocrwatch.documents.stack import Stack, StackFacts, stem_of
from ocrwatch.storage.files import split

SCAN = StackFacts("**", "", "name", "scan", 60.0, "keep", ("txt",))
OTHER = replace(SCAN, stem="other")


class Coming:
    """Pages to come: those that have not ended, and files that are not complete."""

    def __init__(self, *files: str, known: bool = True) -> None:
        self._files = set(files)
        self._known = known

    def all_known(self, at: float) -> bool:  # noqa: ARG002 - it is the same at all times here
        """Say what the test says."""
        return self._known

    def arriving(self, stack: Stack) -> set[str]:
        """Return the files with the name of the stack."""
        return {path for path in self._files if stem_of(path) == stack.facts.stem}

    def must_wait(self, stack: Stack) -> bool:
        """Wait for all."""
        return bool(stack.open or stack.expected)

    def may_begin(self, stack: Stack, stems: Collection[str]) -> bool:
        """Return whether there is a file in the folder of the stack with another name than piles have."""
        return any(split(path)[0] == stack.facts.folder and stem_of(path) not in stems for path in self._files)


idle = Coming()


def deliver(grouping: Grouping, path: str, facts: StackFacts = SCAN, now: float = 0.0) -> Stack:
    """Have a page come and be delivered."""
    stack = grouping.join(path, facts, now)
    grouping.ended(stack, path, delivered=True)
    return stack


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("scan_001.jpg", "scan"),
        ("in/scan-12.jpg", "scan"),
        ("Scan (2).jpg", "Scan"),
        ("scan 3.tif", "scan"),
        ("page.10.png", "page"),
        ("scan.jpg", "scan"),
        ("0001.jpg", ""),
        ("20261128_101500_003.jpg", "20261128_101500"),
        ("a\n7.jpg", "a"),
        ("b2b.jpg", "b2b"),
    ],
)
def test_the_stem_is_the_name_before_the_number(path: str, stem: str) -> None:
    """Numbers are written as scanners and Windows write them; a name that is only a number has no stem."""
    assert stem_of(path) == stem


def test_a_stack_is_due_when_no_page_has_come_for_the_quiet_time() -> None:
    """Each page begins the quiet time anew; the end of a page does not."""
    grouping = Grouping()
    deliver(grouping, "scan_1.jpg", now=0.0)
    stack = deliver(grouping, "scan_2.jpg", now=50.0)
    assert grouping.due(109.9, idle) == []
    assert grouping.next_due() == 110.0
    assert grouping.due(110.0, idle) == [stack]
    assert stack.closed_by == QUIET
    assert len(grouping) == 0


def test_a_page_that_is_on_its_way_is_waited_for() -> None:
    """A stack is not due while one of its pages is read, however long that takes."""
    grouping = Grouping()
    stack = grouping.join("scan_1.jpg", SCAN, 0.0)
    assert grouping.due(1000.0, idle) == []
    grouping.ended(stack, "scan_1.jpg", delivered=True)
    assert grouping.due(1000.0, idle) == [stack]


def test_a_file_that_is_not_complete_is_waited_for_and_newcomers_are_another_stack() -> None:
    """The next pile must not become part of one whose scanner has left half a file."""
    grouping = Grouping()
    stack = deliver(grouping, "scan_1.jpg")
    coming = Coming("scan_2.jpg", "other_1.jpg")
    assert grouping.due(60.0, coming) == []
    newcomer = deliver(grouping, "scan_3.jpg", now=70.0)
    assert newcomer is not stack
    assert deliver(grouping, "scan_2.jpg", now=90.0) is stack
    assert grouping.due(90.0, idle) == [stack]
    assert grouping.due(130.0, idle) == [newcomer]


def test_a_page_that_returns_to_a_closed_stack_is_expected() -> None:
    """It changed while it was read, after the other pages were complete."""
    grouping = Grouping()
    deliver(grouping, "scan_1.jpg")
    stack = grouping.join("scan_2.jpg", SCAN, 0.0)
    assert grouping.due(60.0, idle) == []
    grouping.left(stack, "scan_2.jpg")
    assert grouping.due(60.2, Coming("scan_2.jpg")) == []
    assert deliver(grouping, "scan_2.jpg", now=61.0) is stack
    assert grouping.due(61.0, idle) == [stack]


def test_the_name_of_a_delivered_page_is_not_expected() -> None:
    """The scanner has restarted its counter, and its first file is not complete when the stack is closed."""
    grouping = Grouping()
    stack = deliver(grouping, "scan_1.jpg")
    assert grouping.due(60.0, Coming("scan_1.jpg")) == [stack]
    assert deliver(grouping, "scan_1.jpg", now=61.0) is not stack


def test_stacks_of_one_name_that_a_restart_finds() -> None:
    """The earlier one was closed, and its pages to come are not known any more: that is noted."""
    grouping = Grouping()
    one, two = Stack(SCAN, 0.0, id=1), Stack(SCAN, 0.0, id=2)
    grouping.restore(one)
    grouping.restore(two)
    assert grouping.due(0.0, idle) == [one]
    assert one.closed_by == RESTART
    assert deliver(grouping, "scan_9.jpg") is two


def test_a_file_that_goes_is_not_waited_for() -> None:
    """It was removed, or is of another kind."""
    grouping = Grouping()
    stack = deliver(grouping, "scan_1.jpg")
    assert grouping.due(60.0, Coming("scan_2.jpg")) == []
    assert grouping.due(61.0, idle) == [stack]
    assert deliver(grouping, "scan_2.jpg", now=62.0) is not stack


def test_no_stack_is_closed_while_files_may_be_unknown() -> None:
    """The share may be away, or the next rescan be due."""
    grouping = Grouping()
    stack = deliver(grouping, "scan_1.jpg")
    assert grouping.due(600.0, Coming(known=False)) == []
    assert deliver(grouping, "scan_2.jpg", now=600.0) is stack


def test_stems_and_folders_keep_stacks_apart() -> None:
    """Two feeders that write at the same time have a stack each."""
    grouping = Grouping()
    one = deliver(grouping, "scan_1.jpg")
    two = deliver(grouping, "other_1.jpg", OTHER)
    three = deliver(grouping, "sub/scan_1.jpg", replace(SCAN, folder="sub"))
    assert deliver(grouping, "scan_2.jpg") is one
    assert len({id(one), id(two), id(three)}) == 3
    assert one.pages == 2


def test_a_name_that_comes_again_begins_another_stack() -> None:
    """The scanner has restarted its counter: the stack before is due at once."""
    grouping = Grouping()
    first = deliver(grouping, "scan_1.jpg")
    second = deliver(grouping, "scan_1.jpg", now=1.0)
    assert second is not first
    assert grouping.due(1.0, idle) == [first]
    assert first.closed_by == COUNTER


def test_the_name_of_a_quarantined_page_begins_another_stack_too() -> None:
    """It may be the first page of the next pile; a page that was mended finds its document when that is written."""
    grouping = Grouping()
    stack = grouping.join("scan_1.jpg", SCAN, 0.0)
    grouping.ended(stack, "scan_1.jpg", delivered=False)
    assert grouping.join("scan_1.jpg", SCAN, 1.0) is not stack
    assert grouping.due(1.0, idle) == [stack]


def test_a_page_that_changed_may_come_again() -> None:
    """It was no page yet, so that its name is not there twice."""
    grouping = Grouping()
    stack = grouping.join("scan_1.jpg", SCAN, 0.0)
    grouping.left(stack, "scan_1.jpg")
    assert grouping.join("scan_1.jpg", SCAN, 1.0) is stack


def test_the_next_name_ends_a_stack_at_the_pace_of_its_feeder() -> None:
    """A feeder that goes on with another name has finished the pile before; its pace says after how long."""
    grouping = Grouping()
    for number in range(3):
        deliver(grouping, f"scan_{number}.jpg", now=2.0 * number)
    stack = deliver(grouping, "scan_3.jpg", now=6.0)
    deliver(grouping, "other_1.jpg", OTHER, now=8.0)
    assert grouping.due(13.9, idle) == []
    assert grouping.due(14.0, idle) == [stack]
    assert stack.closed_by == NEXT


def test_pages_that_were_copied_together_have_no_pace() -> None:
    """Five seconds are waited for in any case."""
    grouping = Grouping()
    for number in range(3):
        stack = deliver(grouping, f"scan_{number}.jpg", now=0.1 * number)
    deliver(grouping, "other_1.jpg", OTHER, now=1.0)
    assert grouping.due(5.1, idle) == []
    assert grouping.due(5.2, idle) == [stack]


def test_feeders_that_write_in_turns_end_no_stack() -> None:
    """Each page shows that its feeder has not finished, whatever others write between."""
    grouping = Grouping()
    for number in range(20):
        deliver(grouping, f"scan_{number}.jpg", now=3.0 * number)
        deliver(grouping, f"other_{number}.jpg", OTHER, now=3.0 * number + 1)
        assert grouping.due(3.0 * number + 2, idle) == []


def test_the_pace_of_a_single_page_is_unknown() -> None:
    """A stack of one page waits for the whole quiet time, even if the next name has come."""
    grouping = Grouping()
    deliver(grouping, "scan_1.jpg", now=0.0)
    deliver(grouping, "other_1.jpg", OTHER, now=1.0)
    assert grouping.due(59.0, idle) == []
    assert len(grouping.due(60.0, idle)) == 1


def test_at_the_end_of_a_run_all_are_closed() -> None:
    """`ocrwatch once` waits for no quiet time, but for pages that are read."""
    grouping = Grouping()
    stack = grouping.join("scan_1.jpg", SCAN, 0.0)
    grouping.end(idle)
    assert grouping.due(0.0, idle) == []
    grouping.ended(stack, "scan_1.jpg", delivered=True)
    assert grouping.due(0.0, idle) == [stack]
    assert stack.closed_by == END
