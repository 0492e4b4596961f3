"""A page that was read here, and a service's second reading of it: the better text of each line stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from PIL import Image

from ocrwatch.document import UNPLACED, Block, Line, Page, Second, Word, bounding_box
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.page import recognise
from ocrwatch.recognise.remote.answered import placed
from ocrwatch.recognise.remote.merge import merged_with_second, with_failed_second
from ocrwatch.recognise.remote.prepare import prepare
from ocrwatch.recognise.sent_page import SentPage
from ocrwatch.render.review import review_reasons
from tests.rendering import draw, drawn_words, encode
from tests.unit.recognise.remote.service import ANY, ENGINE, LINES, TEXT, lost, recipe

pytestmark = pytest.mark.slow

DRAWN = draw(TEXT, size=32, width=900, height=700)
SCAN = encode(DRAWN, quality=95)


def blocks(texts: Mapping[int, str] | None = None, *, confidence: float | None = 95.0) -> tuple[Block, ...]:
    """Return the lines that were drawn, with other words in some of them, by their numbers."""
    lines = []
    boxes = iter(drawn_words(TEXT))
    for number, text in enumerate(LINES):
        places = [next(boxes)[1] for _ in text.split()]
        words = ((texts or {}).get(number, text)).split()
        if words:
            made = tuple(Word(word, box, confidence) for word, box in zip(words, places, strict=True))
            lines.append(Line(made, bounding_box(places)))
    return (Block(tuple(lines), bounding_box(line.box for line in lines)),)


def unsure(given: tuple[Block, ...], confidences: Mapping[int, float]) -> tuple[Block, ...]:
    """Return lines with other confidences, by their numbers."""
    (block,) = given
    lines = [
        replace(
            line, words=tuple(replace(word, confidence=confidences.get(at, word.confidence)) for word in line.words)
        )
        for at, line in enumerate(block.lines)
    ]
    return (replace(block, lines=tuple(lines)),)


def sent_of(scan: bytes = SCAN) -> SentPage:
    """Return what is remembered of a scan."""
    return prepare(scan, recipe(), ANY, 0)[1]


def page(given: tuple[Block, ...], *, remote: bool = False) -> Page:
    """Return the page with a text, as it is read here or by the service."""
    made = placed(given, sent_of(), recipe(min_confidence=0.0), ENGINE)
    return made if remote else replace(made, engine=replace(ENGINE, name="tesserocr", version="5"), timings=())


GARBLED = "eyery shlp fhat walted outslde untll"
FIRST = page(unsure(blocks({3: GARBLED}), {3: 60.0}))
"""Read here: one line badly."""


def test_the_better_text_of_each_line_is_taken() -> None:
    """A line that was in doubt is replaced, and the page says by whom; its engine stays the first one."""
    merged = merged_with_second(FIRST, page(blocks(), remote=True), sent_of())
    assert merged.text == TEXT + "\n"
    assert merged.second == Second("remote:cloud", "1", 1)
    assert merged.engine == FIRST.engine
    assert merged.unread == pytest.approx(0.0, abs=0.03)
    assert [word.box for word in merged.words] == [box for _, box in drawn_words(TEXT)]
    assert all(line.baseline is not None for line in merged.lines)
    assert dict(merged.timings)["prepare"] > 0
    assert merged.warnings == ()


def test_what_was_read_well_stays() -> None:
    """A service that is 99 % sure of everything does not replace lines of which the first reader is sure."""
    wrong = blocks({0: "The horbour offiee openod on Mondoy"}, confidence=99.0)
    merged = merged_with_second(FIRST, page(wrong, remote=True), sent_of())
    assert merged.text == TEXT + "\n"
    assert merged.second is not None
    assert merged.second.lines == 1


def test_lines_of_only_one_reading() -> None:
    """What only the service read is added in its place; what only the first reader saw stays if it was sure."""
    first = page(blocks({1: ""}))
    merged = merged_with_second(first, page(blocks({0: "", 3: ""}), remote=True), sent_of())
    assert [line.text for line in merged.lines] == LINES
    ghost = unsure(blocks({}), {3: 30.0})
    merged = merged_with_second(page(ghost), page(blocks({3: ""}), remote=True), sent_of())
    assert [line.text for line in merged.lines] == [*LINES[:3], LINES[4]]


@pytest.mark.parametrize("skew", [-6.0, 4.0])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_readings_of_a_skewed_page_are_merged(quarters: int, skew: float) -> None:
    """Lines are compared where they are level, and are back on the scan afterwards."""
    scan = encode(
        DRAWN.rotate(-skew, Image.Resampling.BICUBIC, fillcolor=255).rotate(-90 * quarters, expand=True), quality=95
    )
    read = recognise(scan, Recipe(engine="tesserocr", second="none"))
    assert len(read.lines) == 5
    # The fourth line was read badly here, and the second one by the service.
    words = iter(read.words)
    lines = [[next(words) for _ in text.split()] for text in LINES]

    def changed(number: int, garbled: str, confidence: float) -> tuple[Block, ...]:
        found = []
        for line, before in zip(read.lines, lines, strict=True):
            texts = garbled.split() if before is lines[number] else [word.text for word in before]
            sure = confidence if before is lines[number] else 90.0
            found.append(
                replace(
                    line,
                    words=tuple(
                        replace(word, text=text, confidence=sure) for word, text in zip(before, texts, strict=True)
                    ),
                )
            )
        return (Block(tuple(found), bounding_box(line.box for line in found)),)

    first = replace(read, blocks=changed(3, GARBLED, 60.0))
    second = replace(read, blocks=changed(1, "ond Bili Hlll peid 2O41 lnvoices betore", 70.0), engine=ENGINE)
    merged = merged_with_second(first, second, sent_of(scan))
    assert [line.text for line in merged.lines] == LINES
    assert merged.second == Second("remote:cloud", "1", 1)
    assert [word.box for word in merged.words] == [word.box for word in read.words]
    assert merged.upright == read.upright
    assert merged.lines[3].baseline == read.lines[3].baseline


def test_columns_that_the_service_has_in_one_line_are_put_where_they_belong() -> None:
    """Pieces of a line that was split are joined, with a baseline from end to end."""
    (block,) = blocks()
    pieces = [
        Line(words, bounding_box(word.box for word in words))
        for line in block.lines
        for words in (line.words[:3], line.words[3:])
    ]
    second = page((Block(tuple(pieces), block.box),), remote=True)
    merged = merged_with_second(FIRST, second, sent_of())
    assert [line.text for line in merged.lines] == LINES
    line = merged.lines[3]
    assert line.baseline is not None
    assert (line.baseline.x0, line.baseline.x1) == (line.words[0].box.left, line.words[-1].box.right)


def test_a_page_that_only_the_service_can_read() -> None:
    """All of its text is taken, with the way it lies."""
    first = replace(page(()), steps=("margins",))
    second = page(blocks(), remote=True)
    merged = merged_with_second(first, second, sent_of())
    assert (merged.text, merged.upright) == (TEXT + "\n", second.upright)
    assert merged.second == Second("remote:cloud", "1", 5)
    assert merged.steps == ("margins",)


def test_a_service_that_reads_nothing_changes_nothing() -> None:
    """Not even lines of low confidence are dropped."""
    merged = merged_with_second(FIRST, page((), remote=True), sent_of())
    assert merged.blocks == FIRST.blocks
    assert merged.second == Second("remote:cloud", "1", 0)


def test_lines_without_confidences_replace_only_what_is_in_doubt_and_are_told() -> None:
    """The page has a warning and is marked for review, although its other words have a high confidence."""
    other = blocks({0: "The horbour offiee openod on Mondoy"}, confidence=None)
    first = page(unsure(blocks({3: GARBLED}), {3: 60.0, 0: 88.0}))
    merged = merged_with_second(first, page(other, remote=True), sent_of())
    assert merged.text == TEXT + "\n"
    assert merged.second == Second("remote:cloud", "1", 1)
    (warning,) = merged.warnings
    assert warning == "1 line is from remote:cloud, which does not say how sure it is: compare with the scan"
    assert {word.confidence for word in merged.lines[3].words} == {None}
    assert review_reasons(merged, 75) == ("6 words without a confidence",)


def test_text_of_a_language_model_replaces_a_page_only_if_it_is_clearly_more() -> None:
    """It has neither places nor confidences. A page that is replaced has a warning and is marked for review."""
    model = page(lost(blocks()), remote=True)
    kept = merged_with_second(FIRST, model, sent_of())
    assert (kept.blocks, kept.warnings) == (FIRST.blocks, ())
    assert kept.second == Second("remote:cloud", "1", 0)
    bad = page(unsure(blocks({0: "rho hnrbour otfice openod on Mondny"}), dict.fromkeys(range(5), 58.0)))
    taken = merged_with_second(bad, model, sent_of())
    assert taken.text == TEXT + "\n"
    assert taken.second == Second("remote:cloud", "1", 5)
    assert (taken.upright, taken.tables) == (None, None)
    (warning,) = taken.warnings
    assert warning.startswith("5 lines are from remote:cloud")
    assert review_reasons(taken, 75) == ("no confidence",)


def test_text_of_which_some_has_no_place_is_taken_as_a_whole_or_not_at_all() -> None:
    """Lines cannot be compared if it is unknown where they are."""
    (block,) = blocks()
    line = block.lines[0]
    bare = replace(line, box=UNPLACED, words=tuple(replace(word, box=UNPLACED) for word in line.words))
    mixed = (replace(block, lines=(bare, *block.lines[1:])),)
    good = page(unsure(blocks(), {0: 85.0}))
    assert merged_with_second(good, page(mixed, remote=True), sent_of()).blocks == good.blocks
    poor = page(unsure(blocks(), dict.fromkeys(range(5), 55.0)))
    assert merged_with_second(poor, page(mixed, remote=True), sent_of()).words[0].box == UNPLACED


def test_readings_that_do_not_agree_which_way_is_up_are_not_mixed() -> None:
    """One of them is nonsense: that with more evidence is taken."""
    upside_down = encode(DRAWN.rotate(180), quality=95)
    sent = sent_of(upside_down)
    good = recognise(upside_down, Recipe(engine="tesserocr", second="none"))
    assert good.upright is not None
    assert good.upright.turns == 2
    nonsense = replace(
        FIRST, blocks=unsure(FIRST.blocks, dict.fromkeys(range(5), 30.0)), engine=replace(ENGINE, name="tesserocr")
    )
    merged = merged_with_second(nonsense, replace(good, engine=ENGINE), sent)
    assert (merged.text, merged.upright) == (good.text, good.upright)
    kept = merged_with_second(good, replace(nonsense, engine=ENGINE), sent)
    assert (kept.text, kept.upright) == (good.text, good.upright)


def test_a_service_that_could_not_read_is_told() -> None:
    """As for the second reader of this machine: the text is the first one's."""
    failed = with_failed_second(FIRST, "remote:cloud", "no answer within 30 seconds")
    assert failed.blocks == FIRST.blocks
    assert failed.second == Second("remote:cloud", "", 0, "no answer within 30 seconds")
    assert failed.warnings == ("the second reader could not read: no answer within 30 seconds",)
