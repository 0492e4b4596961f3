"""The preset ``paddlex``. Its answers follow PaddleX's documentation of the pipeline OCR."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ocrwatch.document import UNPLACED, Box
from ocrwatch.errors import Rejected, ServiceFault, UsageError
from ocrwatch.executors.http_ocr.presets.base import open_preset
from tests.unit.executors.http_ocr.presets.services import SENT, answer_of, lines_of, service, texts_of, words_of

FIRST = [[10, 20], [110, 22], [110, 42], [10, 40]]
SECOND = [[10, 60], [210, 60], [210, 80], [10, 80]]
PRUNED = {
    "model_settings": {"use_doc_preprocessor": False, "use_textline_orientation": True},
    "dt_polys": [FIRST, [[1, 1], [2, 1], [2, 2], [1, 2]], SECOND],
    "text_det_params": {"limit_side_len": 736, "limit_type": "min"},
    "text_type": "general",
    "textline_orientation_angles": [0, 1, 0],
    "text_rec_score_thresh": 0.0,
    "rec_texts": ["登机牌 BOARDING", "SEAT NO. 12F"],
    "rec_scores": [0.9813, 0.8],
    "rec_polys": [FIRST, SECOND],
    "rec_boxes": [[10, 20, 110, 42], [10, 60, 210, 80]],
}


def page(**changes: Any) -> dict[str, Any]:
    """Return an answer with one page, with changes to its pruned result."""
    result = {"ocrResults": [{"prunedResult": PRUNED | changes, "ocrImage": "aGk="}], "dataInfo": {"type": "image"}}
    return {"logId": "7", "errorCode": 0, "errorMsg": "Success", "result": result}


def test_an_image_is_sent_as_base64() -> None:
    """What would change the image at the server, or return pictures, is switched off."""
    request = open_preset("paddlex").request(SENT, service("paddlex"), ("eng",))
    assert (request.path, request.content_type) == ("/ocr", "application/json")
    content = json.loads(request.body)
    assert base64.b64decode(content["file"]) == SENT.content
    assert content["fileType"] == 1
    assert not content["useDocOrientationClassify"]
    assert not content["useDocUnwarping"]
    assert not content["visualize"]


def test_lines_have_words_and_confidences() -> None:
    """The places are those of the lines that were read, not of all that were detected."""
    answer = answer_of("paddlex", page())
    assert texts_of(answer) == ["登机牌 BOARDING", "SEAT NO. 12F"]
    assert not answer.in_order
    assert [line.box for line in lines_of(answer)] == [Box(10, 20, 110, 42), Box(10, 60, 210, 80)]
    assert words_of(answer)[0].confidence == pytest.approx(98.13)


def test_the_angle_of_a_line_says_where_it_begins() -> None:
    """A line that was turned by 180 degrees begins on the right; a tall one was turned by 90 degrees before."""
    tall = [[300, 100], [320, 100], [320, 300], [300, 300]]
    upside_down, down, up = lines_of(
        answer_of(
            "paddlex",
            page(
                rec_texts=["upside down", "down it goes", "up it goes"],
                rec_scores=[0.9] * 3,
                rec_polys=[SECOND, tall, tall],
                rec_boxes=[],
                textline_orientation_angles=[180, 0, 1],
            ),
        )
    )
    assert upside_down.words[0].box.left > upside_down.words[1].box.left
    assert down.words[0].box.top < down.words[-1].box.top
    assert up.words[0].box.top > up.words[-1].box.top
    assert up.baseline is not None
    assert up.baseline.y0 > up.baseline.y1


def test_places_may_be_rectangles_or_missing() -> None:
    """Rectangles are used without polygons; lists that do not belong to the lines are not used."""
    boxes = answer_of("paddlex", page(rec_polys=[]))
    assert [line.box for line in lines_of(boxes)] == [Box(10, 20, 110, 42), Box(10, 60, 210, 80)]
    assert lines_of(boxes)[0].baseline is None
    none = answer_of("paddlex", page(rec_polys=[FIRST], rec_boxes=[], rec_scores=[0.5]))
    assert {word.box for word in words_of(none)} == {UNPLACED}
    assert {word.confidence for word in words_of(none)} == {None}
    curved = [[10, 20], [60, 15], [110, 20], [110, 40], [60, 35], [10, 40]]
    assert lines_of(answer_of("paddlex", page(rec_polys=[curved, SECOND])))[0].box == Box(10, 15, 110, 40)


def test_the_answer_of_an_older_version_is_read() -> None:
    """3.0-beta2 has texts with their polygons."""
    texts = [{"poly": FIRST, "text": "登机牌", "score": 0.98}, {"poly": SECOND, "text": "", "score": 0.1}]
    answer = answer_of("paddlex", {"errorCode": 0, "result": {"ocrResults": [{"texts": texts, "image": "aGk="}]}})
    assert texts_of(answer) == ["登机牌"]


def test_a_blank_page_has_no_lines() -> None:
    """It is no fault; empty texts of others are left out."""
    assert answer_of("paddlex", page(rec_texts=[], rec_scores=[], rec_polys=[], rec_boxes=[])).blocks == ()
    assert texts_of(answer_of("paddlex", page(rec_texts=["", "b"]))) == ["b"]


@pytest.mark.parametrize("code", [400, 413, 415, 422])
def test_some_errors_blame_the_image(code: int) -> None:
    """Error codes are those of HTTP; the message has the service's words."""
    with pytest.raises(Rejected, match=f"does not read this scan: too many pixels \\(error {code}\\)"):
        answer_of("paddlex", {"logId": "1", "errorCode": code, "errorMsg": "too many pixels"})


@pytest.mark.parametrize("code", [1, 401, 403, 429, 500, 503, -1])
def test_other_errors_are_the_services(code: int) -> None:
    """A wrong key, too many requests, out of order: any image would be refused."""
    with pytest.raises(ServiceFault, match=f"refuses: busy \\(error {code}\\)"):
        answer_of("paddlex", {"errorCode": code, "errorMsg": "busy"})


@pytest.mark.parametrize(
    "content",
    [
        b'{"errorCode": 0, "result": {"ocrRes',
        b"<html></html>",
        {"errorCode": 0},
        {"errorCode": 0, "result": {}},
        {"errorCode": 0, "result": {"ocrResults": [{}]}},
        {"errorCode": 0, "result": {"ocrResults": [{"prunedResult": {}}]}},
        {"errorCode": 0, "result": {"layoutParsingResults": []}},
        {"detail": "Not Found"},
        [],
        "error",
    ],
)
def test_anything_else_is_the_services_fault(content: Any) -> None:
    """Above all, an answer without a result is no page without text."""
    with pytest.raises(ServiceFault, match="no result of paddlex"):
        answer_of("paddlex", content)


def test_it_has_no_options() -> None:
    """The remedy says so."""
    with pytest.raises(UsageError, match="has no options"):
        open_preset("paddlex").check(service("paddlex", lang="de"))
