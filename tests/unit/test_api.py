"""What ``import ocrwatch`` offers to other programs."""

from __future__ import annotations

import inspect
import io
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import pytest
from PIL import ImageDraw

import ocrwatch
from ocrwatch import errors
from ocrwatch.recognise import page as pages
from ocrwatch.settings import Profile
from ocrwatch.settings.reading import Codes, Enhance, Ocr, Tables
from tests import odd_jpegs
from tests.documentation import blocks
from tests.rendering import draw, encode, render
from tests.several_pages import pdf_of, tiff_of_scans
from tests.table_images import draw_table, simple

TEXT = "The harbour office\nopened at nine."
JPEG = render(TEXT)


def python(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program of its own, as a caller's would be."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, timeout=60
    )


def disliked() -> bytes:
    """Draw a page for which Leptonica prints errors while Tesseract reads it."""
    image = draw("Total 12.50\nCash 20.00", size=16)
    pen = ImageDraw.Draw(image)
    pen.rectangle((26, 101, 291, 160), outline=0)
    pen.rectangle((5, 102, 173, 137), outline=0, width=2, fill=128)
    pen.rectangle((70, 44, 144, 131), outline=0, width=2)
    return encode(image)


@pytest.mark.parametrize("kind", ["bytes", "bytearray", "memoryview", "str", "Path", "file", "BytesIO"])
def test_a_jpeg_may_be_given_in_many_ways(kind: str, tmp_path: Path) -> None:
    """Bytes, a path and a file object give the same page."""
    path = tmp_path / "page.jpg"
    path.write_bytes(JPEG)
    with path.open("rb") as file:
        sources: dict[str, bytes | bytearray | memoryview | str | Path | io.BufferedReader | io.BytesIO] = {
            "bytes": JPEG, "bytearray": bytearray(JPEG), "memoryview": memoryview(JPEG), "str": str(path),
            "Path": path, "file": file, "BytesIO": io.BytesIO(JPEG),
        }  # fmt: skip
        page = ocrwatch.read(sources[kind])
    assert isinstance(page, ocrwatch.Page)
    assert page.text == f"{TEXT}\n"
    assert all(isinstance(word.box, ocrwatch.Box) and (word.confidence or 0) > 50 for word in page.words)


@pytest.mark.parametrize(
    ("jpeg", "error", "says"),
    [
        (b"GIF89a" + bytes(50), ocrwatch.OtherFormat, "GIF"),
        (b"", ocrwatch.Truncated, "empty"),
        (JPEG[: len(JPEG) // 2], ocrwatch.Truncated, "ends early"),
        (odd_jpegs.with_height(JPEG, 0), ocrwatch.Damaged, "height"),
    ],
)
def test_what_cannot_be_read_raises_the_reason(jpeg: bytes, error: type[ocrwatch.ScanFault], says: str) -> None:
    """The error is the one that the daemon would write into the reason file, with its code and remedy."""
    with pytest.raises(error, match=says) as caught:
        ocrwatch.read(jpeg)
    assert caught.value.code == error.code
    assert caught.value.remedy


def test_more_pixels_than_allowed() -> None:
    """Options of [enhance] hold here too."""
    with pytest.raises(ocrwatch.TooLarge):
        ocrwatch.read(render("x", width=400, height=400), enhance={"max_pixels": 10_000})


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"languages": []}, ocrwatch.UsageError, "ocrwatch.read: ocr.languages .*at least one"),
        ({"languages": ["tlh"]}, ocrwatch.EnvironmentFault, "no data for the language tlh"),
        ({"engine": "scribe"}, ocrwatch.UsageError, "no engine named 'scribe'"),
        ({"engine": "remote:cloud"}, ocrwatch.UsageError, "sends nothing to services"),
        ({"second": "remote:cloud"}, ocrwatch.UsageError, "sends nothing to services"),
        ({"engine": "tesserocr,auto"}, ocrwatch.UsageError, "name one engine"),
        ({"page_segmentation": 0}, ocrwatch.UsageError, "reads no text"),
        ({"enhance": {"skw": True}}, ocrwatch.UsageError, "did you mean enhance.skew"),
        ({"tessdata": "/nowhere"}, ocrwatch.EnvironmentFault, "/nowhere"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    options: dict[str, object], error: type[ocrwatch.OcrwatchError], says: str
) -> None:
    """Wrong values raise what a wrong settings file would, and name the option."""
    with pytest.raises(error, match=says):
        ocrwatch.read(JPEG, **options)  # type: ignore[arg-type]


def test_options_do_what_the_settings_do() -> None:
    """A blacklist and a region are obeyed, and are gone with the next call."""
    assert "o" not in ocrwatch.read(JPEG, blacklist="o").text
    assert ocrwatch.read(JPEG, region=(0.0, 0.0, 1.0, 0.5)).text == "The harbour office\n"
    assert ocrwatch.read(JPEG).text == f"{TEXT}\n"


def test_settings_of_the_machine_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither ./ocrwatch.toml nor OCRWATCH_* variables change what a program reads."""
    (tmp_path / "ocrwatch.toml").write_text('[ocr]\nlanguages = ["tlh"]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OCRWATCH_OCR__LANGUAGES", "tlh")
    assert ocrwatch.read(JPEG).text == f"{TEXT}\n"


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """Errors of the file system come as Python's own."""
    with pytest.raises(FileNotFoundError):
        ocrwatch.read(tmp_path / "nowhere.jpg")
    with pytest.raises(IsADirectoryError):
        ocrwatch.read(str(tmp_path))


@pytest.mark.parametrize(("source", "says"), [(None, "not from NoneType"), (io.StringIO("text"), "binary mode")])
def test_other_sources_are_refused(source: object, says: str) -> None:
    """What is neither bytes, a path nor a binary file is a TypeError that says so."""
    with pytest.raises(TypeError, match=says):
        ocrwatch.read(source)  # type: ignore[arg-type]


def test_keywords_and_defaults_are_those_of_the_settings() -> None:
    """No option of [ocr] is missing, and none has another default; enhance, tables and codes are for the sections."""
    keywords = {name: each.default for name, each in inspect.signature(ocrwatch.read).parameters.items()}
    del keywords["source"]
    assert keywords.pop("page") == 0
    assert dict(keywords.pop("enhance")) == {}
    assert (keywords.pop("tables"), keywords.pop("codes")) == (Tables().enabled, Codes().enabled)
    profile = {name: Profile.model_fields[name].default for name in ("document_type", "locale", "fields")}
    assert {name: keywords.pop(name) for name in profile} == profile
    keywords["variables"] = dict(keywords["variables"])
    # One engine: nothing else is tried.
    keywords["engine"] = (keywords["engine"],)
    assert keywords == {name: field.default for name, field in Ocr.model_fields.items()}
    assert "skew" in Enhance.model_fields


@pytest.mark.parametrize("name", ocrwatch.__all__)
def test_every_name_that_is_offered_is_there(name: str) -> None:
    """The lazy names lead somewhere, and dir() shows them."""
    assert getattr(ocrwatch, name)
    assert name in dir(ocrwatch)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A typing error is told as Python does."""
    with pytest.raises(AttributeError, match="no attribute 'raed'"):
        _ = ocrwatch.raed  # type: ignore[attr-defined]


def test_every_fault_of_a_scan_that_reading_raises_is_offered() -> None:
    """All but those that only worker processes, remote services and deliveries have."""
    of_others = {"TimedOut", "WorkerDied", "Rejected", "NoFreeName"}
    faults = {
        name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.ScanFault)
    }
    assert faults - of_others <= set(ocrwatch.__all__)


def test_pages_of_a_file_are_read_one_by_one() -> None:
    """How many there are is told; none is taken for the whole file, and one that has text of its own keeps it."""
    fax, letter = tiff_of_scans(render("first page"), render("second page")), pdf_of(["Dear Ms Miller"])
    assert [ocrwatch.page_count(source) for source in (fax, letter, JPEG)] == [2, 1, 1]
    assert ocrwatch.read(fax, page=2).text == "second page\n"
    own = ocrwatch.read(letter)
    assert (own.text, own.engine.name) == ("Dear Ms Miller\n", "pdfium")
    for source, page, said in ((fax, 0, "has 2 pages"), (fax, 3, "no page 3"), (JPEG, 2, "one page, and no page 2")):
        with pytest.raises(ocrwatch.UsageError, match=said):
            ocrwatch.read(source, page=page)
    locked = pdf_of(["Dear Ms Miller"], password="s3cret")  # noqa: S106 - of the test
    for call in (ocrwatch.read, ocrwatch.page_count):
        with pytest.raises(ocrwatch.Encrypted):
            call(locked)


def test_the_example_of_pages_in_the_documentation(tmp_path: Path) -> None:
    """It prints the text of each."""
    (example,) = (block for block in blocks("python") if "page_count" in block)
    (tmp_path / "fax.tif").write_bytes(tiff_of_scans(render("first page"), render("second page")))
    done = python(f"import os, ocrwatch; os.chdir({str(tmp_path)!r})\n{example}")
    assert done.stdout.split("\n\n") == ["first page", "second page", ""]


def test_importing_it_is_cheap() -> None:
    """``import ocrwatch`` loads nothing else of it, and no library."""
    code = (
        "import sys; before = set(sys.modules); import ocrwatch\n"
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before if name != 'ocrwatch'}\n"
        "print(*sorted(loaded - sys.stdlib_module_names))"
    )
    assert python(code).stdout.split() == []


READS_ALL = """
import sys, ocrwatch
for path in sys.argv[1:]:
    try:
        # The cell that Leptonica dislikes would be made as bright as the paper.
        ocrwatch.read(path, enhance={"invert": False})
        print("read")
    except ocrwatch.ScanFault as fault:
        print(fault.code)
"""

READS_AS_A_WORKER = """
import sys, pathlib
from ocrwatch.recognise.page import recognise
from ocrwatch.recipe import EnhanceOptions, Recipe
options = EnhanceOptions(invert=False)
recognise(pathlib.Path(sys.argv[1]).read_bytes(), Recipe(second="none", enhance=options))
"""


def test_nothing_is_written_to_standard_error(tmp_path: Path) -> None:
    """Neither Leptonica, Tesseract nor libjpeg print into the caller's program what they think of a page."""
    unusual = odd_jpegs.sampled(draw(TEXT), 0x42, 0x11, 0x11)
    scans = {
        "disliked": disliked(),
        "blank": render(" ", width=400, height=400),
        "unusual": unusual,
        "damaged": unusual[: len(unusual) // 2] + unusual[-3000:],
        "empty": b"",
    }
    for name, jpeg in scans.items():
        (tmp_path / f"{name}.jpg").write_bytes(jpeg)
    assert "Error in pix" in python(READS_AS_A_WORKER, tmp_path / "disliked.jpg").stderr
    done = python(READS_ALL, *(tmp_path / f"{name}.jpg" for name in scans))
    assert done.stdout.split() == ["read", "read", "read", "damaged", "truncated"]
    assert done.stderr == ""


def test_other_threads_keep_their_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """What the program writes there meanwhile arrives, and is not taken for a decoder's complaint."""
    jpeg = odd_jpegs.sampled(draw(TEXT), 0x42, 0x11, 0x11)
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(ocrwatch.read, jpeg)
        written = 0
        while not reading.done():
            os.write(2, b"mine\n")
            written += 1
        assert reading.result().text == f"{TEXT}\n"
    assert capfd.readouterr().err == "mine\n" * written


def test_threads_may_read_at_once() -> None:
    """Each gets its own page, with its own options."""
    texts = ["First page", "Second page", "Third page"]
    with ThreadPoolExecutor(3) as threads:
        found = [page.text for page in threads.map(ocrwatch.read, map(render, texts * 2))]
    assert found == [f"{text}\n" for text in texts * 2]


def test_the_process_is_left_as_it_was() -> None:
    """OpenCV's number of threads and the environment are the caller's own."""
    before = (cv2.getNumThreads(), dict(os.environ))
    ocrwatch.read(JPEG)
    assert (cv2.getNumThreads(), dict(os.environ)) == before


def test_processes_of_the_callers_own_may_read() -> None:
    """Pages and errors come back from them as they are."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        assert processes.submit(ocrwatch.read, JPEG).result().text == f"{TEXT}\n"
        with pytest.raises(ocrwatch.Truncated, match="the file is empty; scan"):
            processes.submit(ocrwatch.read, b"").result()


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (MemoryError(), ocrwatch.OutOfMemory),
        (cv2.error("Insufficient memory"), ocrwatch.OutOfMemory),
        (ZeroDivisionError("ours"), ocrwatch.InternalFault),
    ],
)
def test_what_nobody_expected_is_a_scan_fault_too(
    raised: Exception, expected: type[ocrwatch.ScanFault], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop over many files needs to catch ScanFault only; the cause and its traceback are kept."""

    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(pages, "recognise", fail)
    with pytest.raises(expected) as caught:
        ocrwatch.read(JPEG)
    assert caught.value.__cause__ is raised


def test_the_example_in_the_documentation(tmp_path: Path) -> None:
    """It runs as it stands, and prints the text and the words."""
    (example,) = (block for block in blocks("python") if "ocrwatch.ScanFault" in block)
    (tmp_path / "page.jpg").write_bytes(JPEG)
    done = python(f"import os; os.chdir({str(tmp_path)!r})\n{example}")
    assert done.stdout.startswith(TEXT)
    assert "\nharbour 9" in done.stdout


@pytest.mark.parametrize("option", [{"languages": None}, {"languages": 3}, {"enhance": False}, {"variables": 1}])
def test_an_option_of_another_kind_is_a_wrong_option(option: dict[str, Any]) -> None:
    """It is said in a sentence, as any other wrong value."""
    with pytest.raises(errors.UsageError, match=f"{next(iter(option))} is "):
        ocrwatch.read(b"", **option)


def test_the_example_of_tables_in_the_documentation(tmp_path: Path) -> None:
    """It prints the cells of a table."""
    (example,) = (block for block in blocks("python") if "page.tables" in block)
    drawn = draw_table(simple([("Harbour", "Ships"), ("North", "120"), ("South", "310")]))
    (tmp_path / "page.jpg").write_bytes(encode(drawn.image))
    done = python(f"import os, ocrwatch; os.chdir({str(tmp_path)!r})\n{example}")
    assert done.stdout.startswith("0 0 1 1 Harbour (")
    assert "\n2 1 1 1 310 (" in done.stdout


RECEIPT = render("Corner Shop\nStore No 4711\nDate 27/11/2026\nTotal 3.50\nCash 5.00\nChange 1.50", size=36)


def test_fields_are_found() -> None:
    """Those of the type of document come first, then those of the caller; each has its value, or is missing."""
    own = {"name": "store", "type": "code", "near": ["store no"], "second_look": False}
    page = ocrwatch.read(RECEIPT, document_type="receipt", locale="en_GB", fields=[own])
    assert page.fields is not None
    by_name = {field.name: field for field in page.fields}
    assert list(by_name)[-1] == "store"
    date, store = by_name["date"], by_name["store"]
    assert (date.value, date.text, date.required) == ("2026-11-27", "27/11/2026", True)
    assert (store.value, store.standing, store.required) == ("4711", ocrwatch.Standing.READ, False)
    assert [page.words[index].text for index in store.words] == ["4711"]
    assert isinstance(store, ocrwatch.Field)


def test_fields_are_looked_for_only_if_asked_for() -> None:
    """Without them the page has none, and with them those that are missing are there."""
    assert ocrwatch.read(JPEG).fields is None
    (field,) = ocrwatch.read(JPEG, fields=({"name": "account", "type": "iban"},)).fields or ()
    assert (field.name, field.value, field.standing) == ("account", "", ocrwatch.Standing.MISSING)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ({"document_type": "recipt"}, 'ocrwatch.read: document_type = "recipt" is not valid; .*did you mean receipt'),
        ({"locale": "zz"}, 'ocrwatch.read: locale = "zz" is not valid; write a language and a country'),
        ({"fields": [{"name": "a", "naer": "b"}]}, r"no option fields\[0\].naer; did you mean fields\[0\].near"),
        ({"fields": [{"name": "a"}]}, r"the options in fields\[0\] contradict each other; give the text field a near"),
        ({"fields": [{"name": "a", "type": "date"}] * 2}, "the options contradict each other; there are two fields"),
        ({"fields": {"name": "a"}}, "fields is .*; give a list of dictionaries"),
        ({"fields": 5}, "fields is 5; give a list of dictionaries"),
        ({"fields": ["a"]}, r"fields\[0\] = \"a\" is not valid"),
    ],
)
def test_wrong_fields(option: dict[str, Any], says: str) -> None:
    """They are refused like those of a settings file, by the names that the caller knows."""
    with pytest.raises(ocrwatch.UsageError, match=says):
        ocrwatch.read(b"", **option)


def test_the_example_of_fields_in_the_documentation(tmp_path: Path) -> None:
    """It prints the fields of a receipt."""
    (example,) = (block for block in blocks("python") if "page.fields" in block)
    (tmp_path / "page.jpg").write_bytes(RECEIPT)
    done = python(f"import os, ocrwatch; os.chdir({str(tmp_path)!r})\n{example}")
    assert done.stdout.startswith("date 2026-11-27 ")
    assert "\ntotal 3.50 verified " in done.stdout
    assert "\n['3.50'] (" in done.stdout
    assert "\nshop_number 4711 " in done.stdout
