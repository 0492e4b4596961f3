"""Which engine reads a page first, and whether another reads again what is in doubt."""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import replace

import pytest

from ocrwatch.recipe import Recipe, RemoteService
from ocrwatch.recognise.engine_choice import has_second_reader, is_read_by_ppocr
from ocrwatch.recognise.ppocr import weights

ENGLISH, CHINESE, GREEK = ("eng",), ("chi_sim", "eng"), ("ell", "eng")
UNSUITED: list[dict[str, object]] = [
    {"languages": GREEK},
    {"languages": ("eng", "rus")},
    {"languages": ("chi_sim", "kor")},
    {"whitelist": "0123"},
    {"blacklist": "|"},
    *[dict[str, object](page_segmentation=mode) for mode in (5, 7, 8, 9, 10, 13)],
]
"""What PP-OCR could not obey as a second reader."""


@pytest.fixture(params=[True, False], ids=["installed", "missing"])
def is_there(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Have PP-OCR installed, and not."""
    monkeypatch.setattr(weights, "is_installed", lambda: request.param)
    return bool(request.param)


@pytest.mark.parametrize("engine", ["auto", "tesserocr", "pytesseract", "rapidocr", "other"])
@pytest.mark.parametrize("second", ["auto", "rapidocr", "none"])
@pytest.mark.parametrize("languages", [ENGLISH, CHINESE, ("eng", "chi_sim"), ("lat",), ("jpn",), GREEK])
def test_truth_table(engine: str, second: str, languages: tuple[str, ...], *, is_there: bool) -> None:
    """PP-OCR reads first by name, or if it is there for languages it reads better; else it reads again if it may."""
    wanted = Recipe(engine=engine, second=second, languages=languages)
    better = languages[0] in {"chi_sim", "lat", "jpn"}
    first = engine == "rapidocr" or (engine == "auto" and is_there and better)
    assert is_read_by_ppocr(wanted) == first
    again = (
        engine in {"auto", "tesserocr", "pytesseract"}
        and not first
        and languages != GREEK
        and (second == "rapidocr" or (second == "auto" and is_there))
    )
    assert has_second_reader(wanted) == again


@pytest.mark.usefixtures("is_there")
def test_ppocr_has_no_part_in_what_a_service_reads() -> None:
    """Neither first, nor after it, nor instead of one that rereads doubtful pages."""
    service = RemoteService("cloud", "generic", "https://ocr.example.org")
    for languages in (ENGLISH, CHINESE):
        first = Recipe(engine="remote:cloud", remote=service, languages=languages)
        assert (is_read_by_ppocr(first), has_second_reader(first)) == (False, False)
    assert not has_second_reader(Recipe(second="remote:cloud", remote=service))


@pytest.mark.parametrize("option", UNSUITED)
@pytest.mark.parametrize("second", ["auto", "rapidocr"])
def test_no_second_reader_reads_what_it_could_not_obey(
    option: dict[str, object], second: str, *, is_there: bool
) -> None:
    """Other scripts, a whitelist, a blacklist and pages of one line are read by Tesseract alone."""
    for engine in ("auto", "tesserocr", "pytesseract"):
        assert not has_second_reader(replace(Recipe(engine=engine, second=second), **option))  # type: ignore[arg-type]


@pytest.mark.parametrize("option", [each for each in UNSUITED if each != {"languages": GREEK}])
def test_chinese_that_asks_for_what_only_tesseract_has_is_read_by_it(option: dict[str, object]) -> None:
    """A scan is read by PP-OCR of itself only if that can obey; by name it is always."""
    wanted = replace(Recipe(languages=CHINESE), **option)  # type: ignore[arg-type]
    assert not is_read_by_ppocr(wanted)
    assert is_read_by_ppocr(replace(wanted, engine="rapidocr"))


@pytest.mark.parametrize("mode", [1, 3, 4, 6, 11, 12])
def test_pages_of_any_layout_are_read_again(mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page segmentation for whole pages leaves the second reader on."""
    monkeypatch.setattr(weights, "is_installed", lambda: True)
    assert has_second_reader(Recipe(page_segmentation=mode))
    assert is_read_by_ppocr(Recipe(page_segmentation=mode, languages=CHINESE))


def test_no_page_has_the_same_reader_twice(*, is_there: bool) -> None:
    """PP-OCR is never both the first and the second reader."""
    engines, languages = ("auto", "tesserocr", "rapidocr", "other"), (ENGLISH, CHINESE, GREEK)
    for engine, second, language in itertools.product(engines, ("auto", "rapidocr", "none"), languages):
        wanted = Recipe(engine=engine, second=second, languages=language)
        assert not (is_read_by_ppocr(wanted) and has_second_reader(wanted))


def test_variables_of_tesseract_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables are for the first reader, and keep the second one from nothing."""
    monkeypatch.setattr(weights, "is_installed", lambda: True)
    assert has_second_reader(Recipe(variables=(("load_system_dawg", "0"),)))


def test_asking_imports_no_engine() -> None:
    """The parent process asks it: neither the networks nor what they need are loaded."""
    code = (
        "import sys\nfrom ocrwatch.recognise.engine_choice import has_second_reader, is_read_by_ppocr\n"
        "from ocrwatch.recipe import Recipe\n"
        "has_second_reader(Recipe()), is_read_by_ppocr(Recipe(languages=('jpn',)))\n"
        "print(*sorted({'onnxruntime', 'rapidocr', 'numpy', 'cv2', 'tesserocr'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_variables_of_tesseract_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """With variables Chinese stays Tesseract's; one that forbids characters also keeps PP-OCR from reading again."""
    monkeypatch.setattr(weights, "is_installed", lambda: True)
    spaces = (("preserve_interword_spaces", "1"),)
    chinese = Recipe(languages=("chi_sim",), variables=spaces)
    assert (is_read_by_ppocr(chinese), has_second_reader(chinese)) == (False, True)
    figures = Recipe(variables=(("tessedit_char_whitelist", "0123456789"),))
    assert not has_second_reader(figures)
