"""Paths into JSON."""

from __future__ import annotations

from typing import Any

import pytest

from ocrwatch.executors.http_ocr.presets.json_paths import find, first, parse_path, texts_in

ANSWER = {
    "result": {"lines": [{"text": "a", "n": 1}, {"text": "b"}, {"n": None}], "empty": [], "none": None},
    "0": {"rec_txt": "zero"},
    "full text": {"x.y": "quoted"},
    "pairs": [[[1, 2], ["text", 0.9]]],
}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("result.lines[*].text", ("a", "b")),
        ("$.result.lines[*].text", ("a", "b")),
        (" result.lines[0].text ", ("a",)),
        ("result.lines[-2].text", ("b",)),
        ("result.lines[*].n", (1, None)),
        ('"full text"."x.y"', ("quoted",)),
        ("pairs[*][1][0]", ("text",)),
        ("[0].rec_txt", ("zero",)),
        ("result.lines[*][*]", ("a", 1, "b", None)),
        ("", (ANSWER,)),
        ("$", (ANSWER,)),
    ],
)
def test_a_path_leads_to_values(path: str, values: tuple[Any, ...]) -> None:
    """They are in the answer's order, and nothing is missing."""
    found = find(parse_path(path), ANSWER)
    assert found.values == values
    assert not found.missing


@pytest.mark.parametrize("path", ["result.empty[*].text", "result.none.text", "result.none[*]", "result.empty[0]"])
def test_what_is_empty_is_not_missing(path: str) -> None:
    """A list without elements, and null, are there."""
    found = find(parse_path(path), ANSWER)
    assert found.values == ()
    assert not found.missing


@pytest.mark.parametrize(
    "path",
    ["results", "result.line[*]", "result.lines[*].txt", "result.lines[9]", "result.lines.text", "[*].lines[*].t"],
)
def test_what_is_not_there_is_missing(path: str) -> None:
    """A name, or an element, that is nowhere."""
    found = find(parse_path(path), ANSWER)
    assert found.values == ()
    assert found.missing
    assert first(parse_path(path), ANSWER) is None


@pytest.mark.parametrize(
    "path",
    [
        ".a",
        "a.",
        "a..b",
        "a b",
        "a[",
        "a[x]",
        "a[*",
        "a[1.5]",
        'a."b',
        "$a",
        "$$",
        "a]",
        "a.[0]",
        "a[9999999999]",
        "a/b",
        "a" * 501,
    ],
)
def test_a_wrong_path_is_refused(path: str) -> None:
    """The text of the error says where it is wrong."""
    with pytest.raises(ValueError, match=r"step of a path|characters"):
        parse_path(path)


def test_a_path_says_whether_it_begins_at_the_answer() -> None:
    """Paths in a line may begin at the whole answer instead."""
    assert parse_path("$.scores[*]").from_root
    assert parse_path("$").from_root
    assert not parse_path("scores[*]").from_root


def test_texts_are_found_however_deep_they_are() -> None:
    """Names of members are no text."""
    deep: Any = "deepest"
    for _ in range(5000):
        deep = [deep]
    assert set(texts_in({"name": ["a", {"b": "c"}], "n": 1, "deep": deep})) == {"a", "c", "deepest"}
