"""Text as a language model writes it."""

from __future__ import annotations

import pytest

from ocrwatch.executors.http_ocr.presets.model_text import (
    Repetition,
    ends_in_thoughts,
    repetition,
    without_additions,
)

PAGE = "Invoice 12\n\nTotal: 5.00"
LEADERS = "\n".join(f"Chapter {number} {'.' * (90 - number)} {number * 7}" for number in range(1, 41))
FORM = "\n".join(f"{label}: {'_' * 60}" for label in ("Name", "Street", "City", "Country", "Telephone") * 6)
PROSE = " ".join(f"word{number % 97} and {number % 31} more of it" for number in range(600))


@pytest.mark.parametrize(
    "written",
    [
        PAGE,
        f"\n{PAGE}\n",
        f"```\n{PAGE}\n```",
        f"```text\n{PAGE}\n```\n",
        f"Here is the text of the image:\n\n```markdown\n{PAGE}\n```",
        f"<think>The page is an invoice.\nSo…</think>\n\n{PAGE}",
        f"<think></think>```\n{PAGE}\n```",
    ],
)
def test_what_encloses_the_text_is_removed(written: str) -> None:
    """Thoughts, and one fence around everything, are not on the page."""
    assert without_additions(written).strip() == PAGE


@pytest.mark.parametrize(
    "written",
    [
        "Here is the text:\n\nInvoice 12",
        "```\nfirst\n```\nbetween\n```\nsecond\n```",
        "```\nan example\n```\nthat is explained",
        "Before\n```\nan example\n```",
        "Use <think> and </think> for thoughts",
        "``` is a fence",
    ],
)
def test_what_may_be_on_the_page_stays(written: str) -> None:
    """A page may have such text itself."""
    assert without_additions(written) == written


@pytest.mark.parametrize("written", ["", " \n", "[blank]", "[Blank]\n", "```\n[blank]\n```", "<think>nothing</think>"])
def test_a_blank_page_has_no_text(written: str) -> None:
    """The model is asked for a word that says so."""
    assert without_additions(written) == ""


def test_thoughts_without_an_end_are_noticed() -> None:
    """The model was cut off before the text; nothing of it is taken for the page's."""
    assert ends_in_thoughts(" <think>The page shows")
    assert without_additions("<think>The page shows") == ""
    assert not ends_in_thoughts("<think>a</think>b")
    assert not ends_in_thoughts("the tag <think> is explained")


@pytest.mark.parametrize("text", ["", PAGE, LEADERS, FORM, PROSE, "0.00\n" * 12])
def test_pages_are_no_repetition(text: str) -> None:
    """Dot leaders, lines of forms, long paragraphs and columns with few equal values are as they are printed."""
    assert repetition(text) is Repetition.NONE


@pytest.mark.parametrize("text", ["0.00\n" * 40, PAGE + "\nthe same line" * 20, "\n\n".join(["first", "second"] * 25)])
def test_many_equal_lines_are_suspicious(text: str) -> None:
    """A long column may have equal values, so the text is kept."""
    assert repetition(text) is Repetition.SUSPICIOUS


@pytest.mark.parametrize(
    "text",
    [
        PAGE + "\nthe same line" * 300,
        PAGE + ("\n" + "\n".join(f"row {number} of a table" for number in range(12))) * 20 + "\nend",
        PAGE + "\n" + "and again, " * 300,
        PAGE + "\n" + "1" * 3000,
        "的" * 2000,
    ],
)
def test_a_loop_is_noticed(text: str) -> None:
    """No page has hundreds of equal lines, or a line that only repeats itself, whatever is before and after it."""
    assert repetition(text) is Repetition.LOOP
