"""Codes of pages that were read, and what failures cost."""

from __future__ import annotations

import sys

import pytest
from PIL import Image

from ocrwatch.document import Code
from ocrwatch.errors import EnvironmentFault
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.page import recognise
from tests.code_images import code_image, with_code
from tests.rendering import draw, encode

CODES = Recipe(codes=True, second="none")
FIND = "ocrwatch.recognise.extract.codes.find_codes"


def labelled() -> Image.Image:
    """Draw a page of text with a QR code."""
    page = draw("Harbour dues\nfor the month of March", width=900, height=700)
    with_code(page, code_image("qr", "TAG:dues"), 500, 400)
    return page


def test_a_page_has_its_text_and_its_codes() -> None:
    """Without the recipe's wish they are not looked for."""
    scan = encode(labelled())
    page, bare = recognise(scan, CODES), recognise(scan, Recipe(second="none"))
    assert [(code.kind, code.text) for code in page.codes or ()] == [("qr", "TAG:dues")]
    assert page.text == bare.text
    assert "Harbour dues" in page.text
    assert [name for name, _ in page.timings] == ["decode", "enhance", "engine", "codes"]
    assert bare.codes is None


def test_a_page_without_text_has_its_codes() -> None:
    """Also one that counts as blank, and the part of a page that is not read for its text."""
    page = Image.new("L", (900, 700), 255)
    with_code(page, code_image("code128", "PATCHT"), 100, 300)
    for recipe in (CODES, Recipe(codes=True, second="none", region=(0.0, 0.0, 1.0, 0.2))):
        assert [code.text for code in recognise(encode(page), recipe).codes or ()] == ["PATCHT"]


def test_a_bug_of_the_library_costs_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has its text, no codes, and a warning without the content of a code."""

    def fail(*_: object) -> tuple[Code, ...]:
        raise RuntimeError("TAG:dues")

    monkeypatch.setattr(FIND, fail)
    page = recognise(encode(labelled()), CODES)
    assert "Harbour" in page.text
    assert page.codes == ()
    (warning,) = page.warnings
    assert warning.startswith(
        "codes could not be found: a bug in ocrwatch, please report it: RuntimeError in recognise/page_codes.py, line "
    )
    assert "TAG" not in warning


@pytest.mark.parametrize("error", [OSError(5, "no such disk"), EnvironmentFault("no room"), MemoryError()])
def test_what_the_environment_fails_at_is_no_bug(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scan is read again later, when it can have its codes."""

    def fail(*_: object) -> tuple[Code, ...]:
        raise error

    monkeypatch.setattr(FIND, fail)
    with pytest.raises(type(error)):
        recognise(encode(labelled()), CODES)


def test_a_library_that_cannot_be_loaded_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the environment's fault: the scan waits."""
    monkeypatch.delitem(sys.modules, "ocrwatch.recognise.extract.codes", raising=False)
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    with pytest.raises(EnvironmentFault) as caught:
        recognise(encode(labelled()), CODES)
    assert "zxing-cpp cannot be loaded" in caught.value.message
    assert "ocrwatch[codes]" in caught.value.remedy
