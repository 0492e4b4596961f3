"""The preset ``generic``: text, places and confidences that options find in answers, and what they do not find."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocrwatch.document import UNPLACED, Box
from ocrwatch.errors import Rejected, ServiceFault
from ocrwatch.executors.http_ocr.presets.base import Answer
from tests.unit.executors.http_ocr.presets.asking import answer_of, line_of, lines_of, with_options, words_of

LINES = {
    "status": "ok",
    "model": {"version": "2.1"},
    "result": {
        "lines": [
            {"text": "two words", "box": [100, 50, 280, 90], "score": 0.9},
            {"text": None, "box": None, "score": None},
            {"text": "end", "box": [100, 100, 160, 140], "score": 0.5},
        ]
    },
}
PLACES = {"lines": "result.lines[*]", "line_text": "text", "line_box": "box", "line_confidence": "score"}


def read(body: Any, **options: str) -> Answer:
    """Return what a service with these options makes of a body."""
    return answer_of(body, with_options("generic", options))


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({"text": "result.text"}, {"result": {"text": "line one\nline two\n"}}),
        ({"text": "pages[*].text"}, {"pages": [{"text": "line one"}, {"text": None}, {"text": "line two"}]}),
        ({"text": "$"}, "line one\r\nline two"),
        ({"text": "[*]"}, ["line one", None, "line two", True, {}]),
        ({"lines": "[*]"}, ["line one", "line two"]),
        ({"lines": "[*]", "line_text": "rec_txt"}, {"0": {"rec_txt": "line one"}, "1": {"rec_txt": "line two"}}),
        ({"answer": "text"}, "\ufeffline one\nline two\n".encode()),
    ],
)
def test_text_without_places(options: dict[str, str], body: Any) -> None:
    """As a whole, in parts, as lines, or as plain text."""
    answer = read(body, **options)
    assert lines_of(answer) == ["line one", "line two"]
    assert words_of(answer)[0] == ("line", UNPLACED, None)
    assert answer.in_order


def test_numbers_are_text() -> None:
    """Some servers write what looks like a number as one; truth values are none."""
    assert lines_of(read(["Total", 5, 2.5, True], text="[*]")) == ["Total", "5", "2.5"]
    assert lines_of(read({"text": 2041}, text="text")) == ["2041"]
    assert lines_of(read(["Total", 5], lines="[*]")) == ["Total", "5"]
    blocks = read(["Total", True, 5, "", 2041], text="[*]").blocks
    assert [[line.text for line in block.lines] for block in blocks] == [["Total", "5"], ["2041"]]


def test_a_line_has_all_texts_that_its_path_leads_to() -> None:
    """With spaces between those of a line, and nothing between those of a word: they are its letters."""
    body = [{"words": [{"text": "Total"}, {"text": None}, {"text": 5}]}, {"words": [{"text": "EUR"}]}, {"words": []}]
    assert lines_of(read(body, lines="[*]", line_text="words[*].text")) == ["Total 5", "EUR"]
    words = [[{"letters": [{"c": "T"}, {"c": "o"}]}, {"letters": [{"c": 5}]}]]
    assert lines_of(read(words, lines="[*]", words="[*]", word_text="letters[*].c")) == ["To 5"]


def test_lines_with_places_and_confidences() -> None:
    """A line without text is left out; a version can be named."""
    answer = read(LINES, **PLACES, version="model.version")
    assert lines_of(answer) == ["two words", "end"]
    assert line_of(answer).box == Box(100, 50, 280, 90)
    assert [(text, confidence) for text, _, confidence in words_of(answer)] == [
        ("two", 90.0),
        ("words", 90.0),
        ("end", 50.0),
    ]
    assert answer.version == "2.1"


def test_the_order_can_be_by_places() -> None:
    """If the service has none."""
    assert not read(LINES, **PLACES, order="places").in_order


@pytest.mark.parametrize(
    ("box", "options"),
    [
        ([100, 50, 300, 90], {}),
        (["100", "50", "300", "90"], {}),
        ([100, 50, 200, 40], {"box": "xywh"}),
        ("100,50,200,40", {"box": "xywh"}),
        ([[100, 50], [300, 50], [300, 90], [100, 90]], {}),
        ([[100, 50], [300, 90]], {}),
        ([100, 50, 300, 50, 300, 90, 100, 90], {}),
        ([{"x": 100, "y": 50}, {"x": 300, "y": 50}, {"x": 300, "y": 90}, {"x": 100, "y": 90}], {}),
        ({"left": 100, "top": 50, "right": 300, "bottom": 90}, {}),
        ({"left": 100, "top": 50, "width": 200, "height": 40}, {}),
        ({"x": 100, "y": 50, "w": 200, "h": 40}, {}),
        ({"x_min": 100, "y_min": 50, "x_max": 300, "y_max": 90}, {}),
        ({"vertices": [{"x": 100, "y": 50}, {"x": 300, "y": 50}, {"x": 300, "y": 90}, {"x": 100, "y": 90}]}, {}),
        (
            {"boundingBox": {"a": 100, "b": 50, "c": 300, "d": 90}},
            {"line_box": "box.boundingBox", "box_members": "a,b,c,d"},
        ),
        (
            {"at": {"x": 100, "y": 50}, "size": [200, 40]},
            {"box_members": "at.x, at.y, size[0], size[1]", "box": "xywh"},
        ),
        ({"Left": 0.1, "Top": 50 / 1400, "Width": 0.2, "Height": 40 / 1400}, {"units": "shares"}),
        ([{"X": 0.1, "Y": 50 / 1400}, {"X": 0.3, "Y": 90 / 1400}], {"units": "shares"}),
        ([10, 5000 / 1400, 30, 9000 / 1400], {"units": "percent"}),
    ],
)
def test_boxes_have_many_forms(box: Any, options: dict[str, str]) -> None:
    """All of these are the same place."""
    answer = read([{"t": "word", "box": box}], **{"lines": "[*]", "line_text": "t", "line_box": "box", **options})
    assert [word[1] for word in words_of(answer)] == [Box(100, 50, 300, 90)]


@pytest.mark.parametrize(
    "box",
    [
        *(None, [], {}, "here", 5, [1, 2, 3], [1, 2, 3, None], [[1], [2]], [9e9, 0, 9e9, 5]),
        *({"x": 1}, {"box": {"box": {"box": {}}}}, {"left": "a", "top": 1, "right": 2, "bottom": 3}),
    ],
)
def test_what_is_no_box_costs_no_text(box: Any) -> None:
    """The text has no place then."""
    answer = read([{"t": "word", "box": box}], lines="[*]", line_text="t", line_box="box")
    assert words_of(answer) == [("word", UNPLACED, None)]


def test_columns_run_down() -> None:
    """A tall place of several signs is turned; rotated text has its corners in its own direction."""
    body = [
        {"t": "竖排文字", "box": [500, 100, 540, 260]},
        {"t": "竖排文字", "box": [[500, 100], [540, 100], [540, 260], [500, 260]]},
        {"t": "turned", "box": [[140, 100], [140, 400], [100, 400], [100, 100]]},
    ]
    words = [line.words[0] for line in read(body, lines="[*]", line_text="t", line_box="box").blocks[0].lines]
    assert [(word.width, word.height) for word in words] == [(160, 40), (160, 40), (300, 40)]


def test_confidences_may_be_up_to_100() -> None:
    """Percentages may also be written with their sign."""
    body = [{"t": "a", "c": 87}, {"t": "b", "c": "55 %"}, {"t": "c", "c": 101.5}, {"t": "d"}]
    answer = read(body, lines="[*]", line_text="t", line_confidence="c", confidence_scale="100")
    assert [word[2] for word in words_of(answer)] == [87.0, 55.0, None, None]


def test_words_in_lines() -> None:
    """Their places are their own; a line without words has its own text."""
    body = {
        "lines": [
            {
                "box": [0, 0, 300, 40],
                "words": [{"w": "one", "b": [0, 0, 90, 40]}, {"w": "two", "b": [100, 0, 190, 40]}],
            },
            {"words": [], "line": "three four"},
        ]
    }
    options = {"lines": "lines[*]", "line_box": "box", "words": "words[*]", "word_text": "w", "word_box": "b"}
    answer = read(body, **options, line_text="line")
    assert lines_of(answer) == ["one two", "three four"]
    assert words_of(answer)[1][:2] == ("two", Box(100, 0, 190, 40))
    assert lines_of(read({"lines": body["lines"][:1]}, **options)) == ["one two"]


def test_words_without_lines_are_put_into_lines() -> None:
    """A word that is not beside the one before it, or left of it, begins a line."""
    body = [
        {"w": "one", "b": [0, 0, 90, 40]},
        {"w": "two", "b": [100, 5, 190, 45]},
        {"w": "unknown", "b": None},
        {"w": "below", "b": [0, 60, 90, 100]},
        {"w": "column", "b": [500, 0, 590, 40]},
        {"w": "back", "b": [0, 0, 90, 40]},
    ]
    answer = read(body, words="[*]", word_text="w", word_box="b")
    assert lines_of(answer) == ["one two unknown", "below", "column", "back"]


def test_lists_side_by_side() -> None:
    """A path in lines that begins at the whole answer has a value for each line."""
    body = {"rec_texts": ["one", "two"], "rec_scores": [0.9, 0.8], "rec_boxes": [[0, 0, 90, 40], [0, 50, 90, 90]]}
    options = {"lines": "rec_texts[*]", "line_confidence": "$.rec_scores[*]", "line_box": "$.rec_boxes[*]"}
    assert words_of(read(body, **options)) == [("one", Box(0, 0, 90, 40), 90.0), ("two", Box(0, 50, 90, 90), 80.0)]
    with pytest.raises(ServiceFault, match="finds 1 values for 2 texts"):
        read(body | {"rec_scores": [0.9]}, **options)


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({"text": "text"}, {"text": "", "status": "ok"}),
        ({"text": "text"}, {"text": None, "status": "ok"}),
        ({"text": "text"}, {}),
        ({"lines": "lines[*]"}, {"lines": [], "status": "ok"}),
        ({"lines": "lines[*]"}, {"lines": None, "status": "ok"}),
        ({"lines": "lines[*]"}, {"status": 0, "took": 1.5}),
        ({"lines": "lines[*]", "missing": "blank"}, {"status": "ok"}),
        ({"lines": "lines[*]", "line_text": "t"}, {"lines": [{"t": ""}, {"t": None}], "status": "ok"}),
        ({"words": "w[*]", "word_box": "b"}, {"w": []}),
        ({"answer": "text"}, b""),
    ],
)
def test_a_page_without_text_is_no_error(options: dict[str, str], body: Any) -> None:
    """A list that is there and empty, null, an empty text, or an answer with no text at all."""
    assert read(body, **options).blocks == ()


@pytest.mark.parametrize(
    ("options", "body", "said"),
    [
        ({"text": "txt"}, {"text": "lost", "status": 0}, "text = 'txt' finds nothing"),
        ({"text": "text"}, {"text": {"value": "lost"}}, "text = 'text' finds no text"),
        ({"lines": "lines[*]"}, {"result": {"lines": ["lost"]}}, r"lines = 'lines\[\*\]' finds nothing"),
        (
            {"lines": "lines[*]", "line_text": "txt"},
            {"lines": [{"text": "lost"}]},
            "line_text = 'txt' finds nothing in all 1",
        ),
        ({"lines": "lines[*]"}, {"lines": [{"text": "lost"}]}, "line_text is not set"),
        ({"lines": "lines[*]", "line_text": "t"}, {"lines": [{"t": {"v": "lost"}}]}, "line_text = 't' finds no text"),
        ({"lines": "[*]", "line_text": "t", "line_box": "b"}, [{"t": "a"}, {"t": "b"}], "line_box = 'b' finds nothing"),
        ({"lines": "[*]", "line_text": "t", "line_confidence": "c"}, [{"t": "a"}], "line_confidence = 'c'"),
        ({"lines": "[*]", "line_text": "t", "words": "ws[*]"}, [{"t": "a", "words": ["a"]}], "words"),
        ({"lines": "[*]", "words": "w[*]", "word_text": "x"}, [{"w": [{"t": "a"}]}], "word_text = 'x'"),
        (
            {"words": "[*]", "word_text": "t", "word_box": "b"},
            [{"t": "a"}],
            "word_box = 'b' finds nothing in all 1 words",
        ),
        ({"lines": "lines[*]", "missing": "blank", "line_text": "t"}, {"lines": [{"text": "lost"}]}, "line_text"),
    ],
)
def test_a_wrong_path_delivers_no_empty_page(options: dict[str, str], body: Any, said: str) -> None:
    """The service pauses with a message that names the path, but has nothing of the text."""
    with pytest.raises(ServiceFault, match=said) as caught:
        read(body, **options)
    assert "lost" not in str(caught.value)
    assert "missing" in caught.value.remedy


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({}, {"error": "out of order"}),
        ({}, {"error": {"message": "out of order"}}),
        ({"error_path": "code", "error_message": "msg"}, {"code": 3, "msg": "out of order"}),
        ({"error_path": "code", "error_message": "msg", "error_value": "3, 4"}, {"code": 4, "msg": "out of order"}),
        ({"error_path": "ok", "error_message": "msg", "error_unless": "true"}, {"ok": False, "msg": "out of order"}),
        ({"error_path": "ok", "error_message": "msg", "error_unless": "true"}, {"msg": "out of order"}),
    ],
)
def test_errors_in_answers_are_the_services(options: dict[str, str], body: Any) -> None:
    """Their words are quoted."""
    with pytest.raises(ServiceFault, match="out of order"):
        read({"text": "some", **body}, **{"text": "text", "error_path": "error", **options})


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({"error_path": "error"}, {"error": None}),
        ({"error_path": "error"}, {"error": ""}),
        ({"error_path": "error"}, {}),
        ({"error_path": "code"}, {"code": 0}),
        ({"error_path": "code", "error_value": "3"}, {"code": 4}),
        ({"error_path": "ok", "error_unless": "true, yes"}, {"ok": "yes"}),
    ],
)
def test_other_values_are_no_errors(options: dict[str, str], body: Any) -> None:
    """Nothing, null, false, 0 and what is empty; or what an option says."""
    assert lines_of(read({"text": "some", **body}, text="text", **options)) == ["some"]


def test_some_errors_blame_the_image() -> None:
    """An option names their values."""
    options = {"text": "text", "error_path": "code", "error_image": "BAD_IMAGE, 12"}
    for code in ("BAD_IMAGE", 12):
        with pytest.raises(Rejected, match=str(code)):
            read({"code": code}, **options)
    with pytest.raises(ServiceFault, match="code is 13"):
        read({"code": 13}, **options)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff\xfe", b'{"text": "tru', b"text/plain", json.dumps({"text": "a"}).encode()[:-1]]
)
def test_other_bodies_are_faults_of_the_service(body: bytes) -> None:
    """They are no JSON; nor is a web page plain text."""
    with pytest.raises(ServiceFault):
        read(body, text="text")
    for page in (b"<!DOCTYPE html><p>Sign in", b" <html>", b"\xff"):
        with pytest.raises(ServiceFault):
            read(page, answer="text")
