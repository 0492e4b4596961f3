"""The preset ``rapidocr``. Its answers are those of rapidocr_api 0.2.0 to pages that were rendered for it."""

from __future__ import annotations

from typing import Any

import pytest

from ocrwatch.document import UNPLACED, Box
from ocrwatch.errors import ServiceFault, UsageError
from ocrwatch.executors.http_ocr.presets.base import open_preset
from tests.ocr_answers import image_in
from tests.unit.executors.http_ocr.presets.services import SENT, answer_of, lines_of, service, texts_of, words_of

PAGE = {
    "0": {
        "rec_txt": "The amber harbour",
        "dt_boxes": [[55.0, 60.0], [413.0, 60.0], [413.0, 109.0], [55.0, 109.0]],
        "score": 0.99996,
    },
    "1": {
        "rec_txt": "stands here (gypq)",
        "dt_boxes": [[52.0, 118.0], [403.0, 118.0], [403.0, 176.0], [52.0, 176.0]],
        "score": 0.99921,
    },
}
CHINESE = {
    "0": {
        "rec_txt": "姓名 张三二〇二六年",
        "dt_boxes": [[32.0, 34.0], [501.0, 35.0], [501.0, 99.0], [32.0, 98.0]],
        "score": 0.94933,
    },
    "1": {
        "rec_txt": "Invoice 发票 Nr. 4711",
        "dt_boxes": [[32.0, 149.0], [502.0, 147.0], [502.0, 205.0], [32.0, 207.0]],
        "score": 0.99628,
    },
}
TURNED_CLOCKWISE = {
    "0": {
        "rec_txt": "stands here (gypq)",
        "dt_boxes": [[70.0, 51.0], [124.0, 53.0], [116.0, 404.0], [62.0, 402.0]],
        "score": 0.99397,
    },
}
TILTED = {
    "0": {
        "rec_txt": "The amber harbour",
        "dt_boxes": [[65.0, 130.0], [416.0, 70.0], [424.0, 118.0], [74.0, 178.0]],
        "score": 0.99694,
    },
}


def test_an_image_is_sent_in_a_form() -> None:
    """The form has the field that rapidocr_api expects, and goes to its path."""
    request = open_preset("rapidocr").request(SENT, service("rapidocr"), ("eng",))
    assert request.path == "/ocr"
    assert image_in(request.content_type, request.body) == SENT.content
    assert b'name="image_file"' in request.body


def test_only_jpegs_are_sent() -> None:
    """PNG with 1 or 16 bits a pixel would be an error, or read as rubbish."""
    assert open_preset("rapidocr").media_types == {"image/jpeg"}


def test_lines_have_words_and_confidences() -> None:
    """Lines are split into words. They are in no reading order."""
    answer = answer_of("rapidocr", PAGE)
    assert texts_of(answer) == ["The amber harbour", "stands here (gypq)"]
    assert not answer.in_order
    first = lines_of(answer)[0]
    assert first.box == Box(55, 60, 413, 109)
    assert [word.box.left for word in first.words] == [55, 139, 266]
    assert [word.confidence for word in first.words] == pytest.approx([99.996] * 3)
    assert first.baseline is not None
    assert (first.baseline.y0, first.baseline.y1) == (96.75, 96.75)


def test_a_blank_page_is_an_empty_object() -> None:
    """It has no text, and is no fault."""
    assert answer_of("rapidocr", {}).blocks == ()


def test_chinese_is_read() -> None:
    """Text without spaces stays one word, and lines with Latin words have them."""
    answer = answer_of("rapidocr", CHINESE)
    assert texts_of(answer) == ["姓名 张三二〇二六年", "Invoice 发票 Nr. 4711"]
    assert [word.text for word in words_of(answer)] == ["姓名 张三二〇二六年", "Invoice", "发票", "Nr.", "4711"]


def test_lines_of_a_page_on_its_side_run_down() -> None:
    """The corners begin at the image's top left one, but the words follow each other downwards."""
    (line,) = lines_of(answer_of("rapidocr", TURNED_CLOCKWISE))
    tops = [word.box.top for word in line.words]
    assert tops == sorted(tops)
    assert tops[0] < 60
    assert tops[-1] > 200
    assert all(word.width > 50 and 50 < word.height < 60 for word in line.words)


def test_tilted_lines_have_tilted_words() -> None:
    """The words go up with the line, and so does the baseline."""
    (line,) = lines_of(answer_of("rapidocr", TILTED))
    bottoms = [word.box.bottom for word in line.words]
    assert bottoms == sorted(bottoms, reverse=True)
    assert line.baseline is not None
    assert line.baseline.y0 - line.baseline.y1 == pytest.approx(60)


def test_odd_values_cost_only_themselves() -> None:
    """Confidences as text or null, no places, empty text, unknown fields."""
    lines: dict[str, Any] = {
        "0": {"rec_txt": "a", "dt_boxes": None, "score": "0.87", "new": [1]},
        "1": {"rec_txt": "b", "score": None},
        "2": {"rec_txt": None, "dt_boxes": [[0, 0], [9, 0], [9, 9], [0, 9]], "score": 0.5},
        "3": {"rec_txt": " ", "score": 0.5},
        "4": {"rec_txt": "c", "dt_boxes": [[0, 0], [1e9, 0], [1e9, 9], [0, 9]], "score": 7},
    }
    answer = answer_of("rapidocr", lines)
    assert [(word.text, word.confidence, word.box) for word in words_of(answer)] == [
        ("a", pytest.approx(87), UNPLACED),
        ("b", None, UNPLACED),
        ("c", None, UNPLACED),
    ]
    assert answer.in_order, "without places, the service's order is the only one"


def test_a_page_of_ten_megabytes_is_read() -> None:
    """Thousands of lines, with more in each than is asked for."""
    line = PAGE["0"] | {"crop": "A" * 3000}
    answer = answer_of("rapidocr", {str(number): line for number in range(3200)})
    assert len(texts_of(answer)) == 3200


@pytest.mark.parametrize(
    "content",
    [
        b'{"0": {"rec_txt": "The am',
        b"<html>502 Bad Gateway</html>",
        b"Internal Server Error",
        {"detail": "Not Found"},
        {"error": {"code": 503}},
        {"0": {"dt_boxes": [], "score": 0.9}},
        [],
        "{}",
        None,
    ],
)
def test_anything_else_is_the_services_fault(content: Any) -> None:
    """Above all, an error in JSON is no page without text."""
    with pytest.raises(ServiceFault, match="no result of rapidocr"):
        answer_of("rapidocr", content)


def test_it_has_no_options() -> None:
    """The remedy says so."""
    with pytest.raises(UsageError, match="has no options"):
        open_preset("rapidocr").check(service("rapidocr", lang="de"))
