"""What Tesseract is unsure of is read again, and what it is sure of is left alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ocrwatch.document import Block, Box, Line, Page, Second, Word
from ocrwatch.errors import EngineFailed, EnvironmentFault
from ocrwatch.recipe import EnhanceOptions, Recipe
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.ppocr import weights
from tests.rendering import MARGIN, draw, drawn_words, encode, render

# Not importorskip: the code of rapidocr takes much time and memory.
if not weights.is_installed():
    pytest.skip("rapidocr is not installed", allow_module_level=True)

from ocrwatch.recognise import engines, second_reader
from ocrwatch.recognise.affine import scaling
from ocrwatch.recognise.engines.rapidocr import RapidocrEngine
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.page import recognise, warm
from ocrwatch.recognise.ppocr.recognition import StripLine, StripWord
from ocrwatch.recognise.ppocr.strip import Strip

LINES = [
    "The harbour office opened on Monday",
    "and Bill Hill paid 2041 invoices before",
    "noon while gulls were circling above",
    "every ship that waited outside until",
    "Captain Brown had signed his papers",
]
TEXT = "\n".join(LINES)
ALONE, BOTH = Recipe(second="none"), Recipe()

Fails = Callable[[str, Exception], None]


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> None:
    """Load both readers; skipped if Tesseract is not installed."""
    try:
        warm(BOTH)
    except EnvironmentFault as fault:
        pytest.skip(str(fault))


def spoilt(page: Gray, blur: float, *, grain: float = 0.0) -> Gray:
    """Blur a page, and strew grain over it."""
    blurred = cv2.GaussianBlur(page.astype(np.float32), (0, 0), blur)
    noise = np.random.default_rng(1).normal(0, grain, page.shape)
    return np.clip(blurred + noise, 0, 255).astype(np.uint8)


def drawn(size: int = 20, ink: int = 60) -> Gray:
    """Draw the text."""
    return np.asarray(draw(TEXT, size=size, ink=ink))


def jpeg(page: Gray) -> bytes:
    """Save a page as a scan."""
    return encode(Image.fromarray(page), quality=92)


def share_read(page: Page) -> float:
    """Return the share of the text's words that were read."""
    words = page.text.split()
    return sum(word in words for word in TEXT.split()) / len(TEXT.split())


def timeless(page: Page) -> Page:
    """Return a page without what differs each time."""
    return replace(page, timings=())


BAD = {
    "blurred": spoilt(drawn(), 2.3),
    "small": spoilt(drawn(11), 1.25),
    "faint and grainy": spoilt(drawn(14, 150), 1.0, grain=6),
}
CLEAN = render(TEXT)


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Fails:
    """Return what has the second reader fail."""

    def install(name: str, error: Exception) -> None:
        def fail(*_: object) -> object:
            raise error

        monkeypatch.setattr(second_reader, name, fail)

    return install


@pytest.mark.parametrize("name", BAD)
def test_a_page_that_tesseract_reads_badly_is_read_better(name: str) -> None:
    """A spoilt page has most of its words if it is read again, of which Tesseract alone has few, in their order."""
    scan = jpeg(BAD[name])
    alone, both = recognise(scan, ALONE), recognise(scan, BOTH)
    assert alone.second is None
    assert share_read(alone) < 0.7
    assert share_read(both) > 0.85
    assert both.confidence is not None
    assert (both.confidence or 0) > (alone.confidence or 0) + 10
    assert both.second is not None
    assert (both.second.name, both.second.failure) == ("rapidocr", "")
    assert 0 < both.second.lines <= len(LINES)
    assert both.engine == alone.engine
    assert len(both.lines) == len(LINES)
    assert [line.text.split()[0] for line in both.lines if line.text.split()[0] in TEXT.split()] == [
        line.split()[0] for line in LINES if line.split()[0] in both.text.split()
    ]


def assert_placed(page: Page, places: Iterable[tuple[str, Box]], near: float) -> None:
    """Compare the middles of words that were read with those of their ink: edges of blurred ink are a matter of taste.

    A word that comes more than once in the text is left out.
    """
    boxes = dict(places)
    found = [word for word in page.words if word.text in boxes]
    assert len(found) > 0.8 * len(boxes)
    for word in found:
        box, wanted = word.box, boxes[word.text]
        assert (box.left + box.right) / 2 == pytest.approx((wanted.left + wanted.right) / 2, abs=near), word
        assert (box.top + box.bottom) / 2 == pytest.approx((wanted.top + wanted.bottom) / 2, abs=near), word


@pytest.mark.parametrize(("name", "size"), [("blurred", 20), ("small", 11), ("faint and grainy", 14)])
def test_boxes_of_the_second_reader_are_on_the_page_as_it_came(name: str, size: int) -> None:
    """A word that was read again has its box where its ink is."""
    assert_placed(recognise(jpeg(BAD[name]), BOTH), drawn_words(TEXT, size=size), near=size / 2)


def turned_words(size: int, quarters: int) -> list[tuple[str, Box]]:
    """Return the words with the boxes that they have on a page that was turned counterclockwise."""
    height, width = drawn(size).shape
    words = []
    for text, box in drawn_words(TEXT, size=size):
        left, top, right, bottom = box.left, box.top, box.right, box.bottom
        for turn in range(quarters):
            across = (width, height)[turn % 2]
            left, top, right, bottom = top, across - right, bottom, across - left
        words.append((text, Box(left, top, right, bottom)))
    return words


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_bad_page_is_read_however_it_lies(quarters: int) -> None:
    """A bad page that lies upside down or on its side is read again turned, with boxes where its words are."""
    given = spoilt(drawn(14, 180), 0.7, grain=6)
    page = recognise(jpeg(np.ascontiguousarray(np.rot90(given, quarters))), BOTH)
    assert share_read(page) > 0.85
    assert page.second is not None
    assert page.second.lines > 0
    assert_placed(page, turned_words(14, quarters), near=7)


@pytest.mark.parametrize("name", ["blurred", "small"])
def test_a_page_upside_down_that_only_the_second_reader_can_read(name: str) -> None:
    """A page of which Tesseract reads nothing, however it is turned, is read upright by the second reader."""
    page = recognise(jpeg(np.ascontiguousarray(np.rot90(BAD[name], 2))), BOTH)
    assert share_read(page) > 0.85


def test_a_clean_page_is_the_same_with_and_without() -> None:
    """A page that Tesseract is sure of is not read again: not a letter, box or confidence differs."""
    alone, both = recognise(CLEAN, ALONE), recognise(CLEAN, BOTH)
    assert both.second is None
    assert timeless(both) == timeless(alone)


@pytest.mark.parametrize("text", ["", " "])
def test_a_blank_page_is_not_read_again(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """White paper is no doubt."""
    monkeypatch.setattr(second_reader, "detected", None)
    page = recognise(render(text, width=600, height=400), BOTH)
    assert (page.blocks, page.second) == ((), None)


def mixed(blur: float = 2.8, size: int = 28) -> Gray:
    """Return a page of which one line, the eighth, is blurred."""
    page = np.asarray(draw("\n".join(LINES * 3), size=size)).copy()
    top = MARGIN + round(7 * size * 1.5) - 6
    line = page[top : top + round(1.5 * size)]
    line[:] = spoilt(line, blur)
    return page


def words_read(text: str, line: str) -> int:
    """Count the words of a line that were read."""
    return sum(word in text.split() for word in line.split())


def test_one_bad_line_is_read_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a page that is well read but for a line, that line is read better, and all others stay as they are."""
    monkeypatch.setattr(second_reader, "detected", None)
    alone, both = recognise(jpeg(mixed()), ALONE), recognise(jpeg(mixed()), BOTH)
    assert both.second is not None
    assert both.second == Second("rapidocr", both.second.version, 1)
    assert len(both.lines) == len(alone.lines) == 15
    changed = [at for at, (one, other) in enumerate(zip(alone.lines, both.lines, strict=True)) if one != other]
    assert changed == [7]
    assert words_read(both.lines[7].text, LINES[2]) > words_read(alone.lines[7].text, LINES[2])
    assert both.lines[7].paragraph == alone.lines[7].paragraph
    assert (both.lines[7].confidence or 0) > (alone.lines[7].confidence or 0)


def test_a_line_that_is_read_again_keeps_its_first_letters() -> None:
    """A line that Tesseract reads rightly, with doubt, is not replaced by one that lacks letters of its words."""
    scan, bare = jpeg(mixed(2.4)), EnhanceOptions(enabled=False)
    alone = recognise(scan, replace(ALONE, enhance=bare))
    if alone.lines[7].text != LINES[2]:
        pytest.skip("this Tesseract does not read the line by itself")
    assert recognise(scan, replace(BOTH, enhance=bare)).lines[7].text == LINES[2]


def holds(block: Block) -> bool:
    """Tell whether all lines of a block lie in its box."""
    box = block.box
    return all(
        box.left <= line.box.left
        and box.top <= line.box.top
        and line.box.right <= box.right
        and line.box.bottom <= box.bottom
        for line in block.lines
    )


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(mixed(), id="one bad line"),
        pytest.param(BAD["blurred"], id="bad page"),
    ],
)
def test_blocks_hold_their_lines(page: Gray) -> None:
    """A block's box is round all of its lines, also if some were read again."""
    found = recognise(jpeg(page), BOTH)
    assert found.second is not None
    assert all(map(holds, found.blocks))


@pytest.mark.parametrize("page", [BAD["blurred"], mixed()], ids=["bad page", "one bad line"])
def test_the_same_page_gives_the_same_result(page: Gray) -> None:
    """What was read before changes nothing: text, boxes and confidences depend on the page alone."""
    first = recognise(jpeg(page), BOTH)
    assert timeless(recognise(jpeg(page), BOTH)) == timeless(first)
    recognise(jpeg(BAD["small"]), BOTH)
    recognise(CLEAN, ALONE)
    assert timeless(recognise(jpeg(page), BOTH)) == timeless(first)


@pytest.mark.parametrize("name", ["read_line", "detected"])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (EngineFailed("rapidocr failed on this image (odd)"), "rapidocr failed on this image (odd)"),
        (MemoryError("bad_alloc"), "it needs more memory than a worker may use"),
        pytest.param(
            cv2.error("OpenCV(4) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 9 bytes"),
            "it needs more memory than a worker may use",
        ),
        (IndexError("odd"), "a bug in ocrwatch, please report it: IndexError: odd"),
    ],
    ids=["engine", "memory", "memory of OpenCV", "bug"],
)
def test_a_second_reader_that_fails_loses_nothing(name: str, error: Exception, reason: str, fails: Fails) -> None:
    """A page that only the first reader could read is delivered as that one reads it, with the reason."""
    scan = jpeg(BAD["faint and grainy"])
    alone = recognise(scan, ALONE)
    fails(name, error)
    page = recognise(scan, BOTH)
    assert page.blocks == alone.blocks
    assert page.text == alone.text != ""
    assert page.warnings == (f"the second reader could not read: {reason}",)
    assert page.second is not None
    assert (page.second.name, page.second.lines, page.second.failure) == ("rapidocr", 0, reason)


def test_a_second_reader_that_fails_on_one_line(fails: Fails) -> None:
    """A line in doubt that could not be read again stays as it was, with the reason."""
    scan = jpeg(mixed())
    alone = recognise(scan, ALONE)
    fails("read_line", EngineFailed("it failed"))
    page = recognise(scan, BOTH)
    assert page.blocks == alone.blocks
    assert page.second is not None
    assert page.second.failure == "it failed"


def test_a_failure_does_not_last(fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a page on which the second reader has failed, it reads the next."""
    scan = jpeg(BAD["faint and grainy"])
    first = recognise(scan, BOTH)
    with monkeypatch.context() as patch:
        patch.setattr(second_reader, "read_line", None)
        fails("detected", MemoryError())
        assert recognise(scan, BOTH).second != first.second
    monkeypatch.undo()
    assert timeless(recognise(scan, BOTH)) == timeless(first)


@pytest.mark.parametrize("option", [{"whitelist": "0123456789"}, {"blacklist": "v"}, {"page_segmentation": 7}])
def test_what_only_tesseract_can_obey_is_read_by_it_alone(
    option: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whitelist, a blacklist or a page of one line switches the second reader off."""
    monkeypatch.setattr(second_reader, "detected", None)
    monkeypatch.setattr(second_reader, "read_line", None)
    scan = jpeg(BAD["blurred"])
    both = recognise(scan, replace(BOTH, **option))  # type: ignore[arg-type]
    assert both.second is None
    assert timeless(both) == timeless(recognise(scan, replace(ALONE, **option)))  # type: ignore[arg-type]


def test_without_enhancement_only_lines_in_doubt_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is not to be cleaned is not looked through by the second reader, but for lines in doubt."""
    monkeypatch.setattr(second_reader, "detected", None)
    page = recognise(jpeg(mixed(2.4)), replace(BOTH, enhance=EnhanceOptions(enabled=False)))
    assert page.steps == ()
    assert page.second is not None
    assert page.second.lines <= 1


def test_a_part_of_a_bad_page_is_read_again() -> None:
    """A region has only its own words, with boxes on the whole page."""
    page = recognise(jpeg(BAD["blurred"]), replace(BOTH, region=(0.0, 0.15, 1.0, 0.5)))
    assert page.second is not None
    words = [(text, box) for text, box in drawn_words(TEXT, size=20) if text in " ".join(LINES[:2]).split()]
    assert_placed(page, words, near=10)
    assert "Captain" not in page.text


def test_a_large_scan_has_boxes_in_its_own_pixels() -> None:
    """A scan that is decoded at half its size has boxes at its full size, also of what was read again."""
    page = np.full((2145, 5200), 255, np.uint8)
    part = mixed(10, 90)
    page[: part.shape[0], : part.shape[1]] = part
    found = recognise(jpeg(page), BOTH)
    assert any(step.startswith("reduce") for step in found.steps)
    assert found.second is not None
    assert found.second.lines == 1
    line = found.lines[7]
    in_it = range(line.box.top - 60, line.box.bottom)
    places = [(text, box) for text, box in drawn_words("\n".join(LINES * 3), size=90) if box.top in in_it]
    assert " ".join(text for text, _ in places) == LINES[2]
    assert_placed(replace(found, blocks=(Block((line,), line.box),)), places, near=45)


READS = """
import sys, pathlib
from ocrwatch.recognise.page import recognise, warm
from ocrwatch.recipe import Recipe
recipe = Recipe(second="none")
warm(recipe)
print(recognise(pathlib.Path(sys.argv[1]).read_bytes(), recipe).second)
print(*sorted({"onnxruntime", "rapidocr"} & set(sys.modules)))
"""
WITHOUT_THE_EXTRA = "import sys\nsys.modules['onnxruntime'] = sys.modules['rapidocr'] = None\n"


@pytest.mark.parametrize("first", ["", WITHOUT_THE_EXTRA], ids=["installed", "missing"])
def test_without_a_second_reader_its_packages_are_not_imported(first: str, tmp_path: Path) -> None:
    """A worker that needs no second reader spends neither time nor memory on it, and works without the extra."""
    (tmp_path / "bad.jpg").write_bytes(jpeg(BAD["blurred"]))
    done = subprocess.run(
        [sys.executable, "-c", first + READS, tmp_path / "bad.jpg"], capture_output=True, text=True, check=False
    )
    loaded = "" if not first else "onnxruntime rapidocr"
    assert (done.returncode, done.stdout) == (0, f"None\n{loaded}\n"), done.stderr


def test_rapidocr_itself_is_never_imported(tmp_path: Path) -> None:
    """Only the networks of the package are used: its code takes much time and memory."""
    (tmp_path / "bad.jpg").write_bytes(jpeg(BAD["blurred"]))
    code = READS.replace('second="none"', 'second="rapidocr"')
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "bad.jpg"], capture_output=True, text=True, check=True
    )
    second, loaded = done.stdout.splitlines()
    assert second.startswith("Second(name='rapidocr'")
    assert loaded == "onnxruntime"


@pytest.mark.parametrize(("second", "engine"), [("rapidocr", "auto"), ("auto", "rapidocr")])
def test_what_was_asked_for_by_name_and_cannot_be_loaded_is_an_error(
    second: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installed, but broken: an error if it was asked for, else Tesseract reads alone, and the page says so.

    So its text is not taken from the cache when the second reader works again.
    """

    def fail(*_: object) -> object:
        raise EnvironmentFault("the networks of rapidocr cannot be loaded", "reinstall it")

    monkeypatch.setattr(RapidocrEngine, "prepare", fail)
    engines._prepared_second.cache_clear()
    page = recognise(CLEAN, BOTH)
    assert page.second is not None
    assert (page.second.name, page.second.lines) == ("rapidocr", 0)
    assert "cannot be loaded" in page.second.failure
    assert f"the second reader could not read: {page.second.failure}" in page.warnings
    with pytest.raises(EnvironmentFault, match="cannot be loaded"):
        recognise(CLEAN, Recipe(engine=engine, second=second))
    engines._prepared_second.cache_clear()


def test_of_a_line_each_part_keeps_the_better_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A price that the second reader does not see stays beside the word that it reads better."""
    words = (Word("Tota1", Box(0, 0, 60, 20), 60.0), Word("3.99", Box(300, 0, 350, 20), 55.0))
    line = Line(words, Box(0, 0, 350, 20))

    def seen(_page: Gray, strip: Strip, _recipe: Recipe) -> StripLine:
        is_first = strip.to_page[0, 2] < 100
        return StripLine(strip, (StripWord("Total", 1.0, 0, 0, 60, 40),) if is_first else ())

    monkeypatch.setattr(second_reader, "read_line", seen)
    reader = second_reader.SecondReader(Pixels(np.full((40, 400), 255, np.uint8)), Recipe())
    assert [word.text for word in reader._better(line, scaling(1.0, 1.0)).words] == ["Total", "3.99"]
