"""The preset ``doctr``. Its answers follow the schemas of docTR's template of a server."""

from __future__ import annotations

from typing import Any

import pytest

from ocrwatch.document import UNPLACED, Box
from ocrwatch.errors import ServiceFault, UsageError
from ocrwatch.executors.http_ocr.presets.base import open_preset
from tests.ocr_answers import image_in
from tests.unit.executors.http_ocr.presets.services import SENT, answer_of, lines_of, service, texts_of, words_of


def word(value: Any, geometry: Any, confidence: Any = 0.99) -> dict[str, Any]:
    """Return a word of an answer."""
    turned = {"value": 0, "confidence": None}
    return {
        "value": value,
        "geometry": geometry,
        "objectness_score": 0.9,
        "confidence": confidence,
        "crop_orientation": turned,
    }


def line(geometry: Any, *words: dict[str, Any]) -> dict[str, Any]:
    """Return a line of an answer."""
    return {"geometry": geometry, "objectness_score": 0.9, "words": list(words)}


def page(*lines: dict[str, Any]) -> list[dict[str, Any]]:
    """Return an answer with one block."""
    block = {"geometry": [0.0, 0.0, 1.0, 1.0], "objectness_score": 0.9, "lines": list(lines)}
    return [
        {
            "name": "scan.jpg",
            "orientation": {"value": 0.0, "confidence": None},
            "language": {"value": "en", "confidence": 0.9},
            "dimensions": [800, 1000],
            "items": [{"blocks": [block]}],
        }
    ]


HELLO = line(
    [0.1, 0.1, 0.5, 0.2], word("Hello", [0.1, 0.1, 0.28, 0.2]), word("world!", [0.3, 0.1, 0.5, 0.2], confidence=0.5)
)


def test_an_image_is_sent_in_a_form() -> None:
    """The path ends with a slash, since the server would redirect without it; docTR's options are parameters."""
    preset = open_preset("doctr")
    asked = service("doctr", assume_straight_pages="false", det_arch="db_resnet50", field="file")
    request = preset.request(SENT, asked, ("eng",))
    assert request.path == "/ocr/"
    assert request.query == (("assume_straight_pages", "false"), ("det_arch", "db_resnet50"))
    assert image_in(request.content_type, request.body) == SENT.content
    assert b'name="file"' in request.body
    assert b'name="files"' in preset.request(SENT, service("doctr"), ("eng",)).body
    for url in ("http://host/ocr", "http://host/ocr/"):
        assert preset.request(SENT, service("doctr", url), ()).path == "/"


def test_words_have_places_and_confidences() -> None:
    """Shares of the image become pixels."""
    answer = answer_of("doctr", page(HELLO))
    assert texts_of(answer) == ["Hello world!"]
    assert [each.box for each in words_of(answer)] == [Box(100, 80, 280, 160), Box(300, 80, 500, 160)]
    assert [each.confidence for each in words_of(answer)] == pytest.approx([99, 50])
    assert lines_of(answer)[0].baseline is None
    assert not answer.in_order


def test_a_tilted_page_has_corners() -> None:
    """With four corners, as one list or as pairs, a line has a baseline."""
    corners = [0.1, 0.1, 0.5, 0.15, 0.49, 0.25, 0.09, 0.2]
    pairs = [corners[at : at + 2] for at in range(0, 8, 2)]
    for geometry in (corners, pairs):
        (found,) = lines_of(answer_of("doctr", page(line(geometry, word("a", geometry)))))
        assert found.box == Box(90, 80, 500, 200)
        assert found.baseline is not None
        assert found.baseline.y1 - found.baseline.y0 == pytest.approx(40)


def test_the_answer_of_older_versions_is_read() -> None:
    """Words alone, without confidences and lines."""
    words = [
        {"box": [0.75, 0.18, 0.82, 0.2], "value": "Hello"},
        {"box": None, "value": "world!"},
        {"box": [0.75, 0.18, 0.82, 0.2], "value": ""},
    ]
    answer = answer_of("doctr", words)
    assert texts_of(answer) == ["Hello", "world!"]
    assert [(each.box, each.confidence) for each in words_of(answer)] == [
        (Box(750, 144, 820, 160), None),
        (UNPLACED, None),
    ]


def test_a_blank_page_has_no_words() -> None:
    """In all the ways that servers write it."""
    for content in ([], page(), page(line([0, 0, 0, 0])), page(line([0, 0, 0, 0], word("", [0, 0, 0, 0])))):
        assert answer_of("doctr", content).blocks == ()


def test_odd_values_cost_only_themselves() -> None:
    """Null confidences, rubbish for places."""
    answer = answer_of("doctr", page(line("none", word("a", [5, 5, 6, 6], None), word("b", [], "0.5"), word(None, []))))
    assert [(each.text, each.box, each.confidence) for each in words_of(answer)] == [
        ("a", UNPLACED, None),
        ("b", UNPLACED, 50.0),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b'[{"name": "scan.jpg", "ite',
        b"<html></html>",
        {"detail": "Not Found"},
        [{}],
        [{"detail": "error"}],
        [{"name": "scan.jpg", "items": [{}]}],
        [{"name": "scan.jpg", "items": [{"blocks": [{"lines": [{}]}]}]}],
        [None],
        "error",
    ],
)
def test_anything_else_is_the_services_fault(content: Any) -> None:
    """Above all, an error in JSON is no page without text."""
    with pytest.raises(ServiceFault, match="no result of doctr"):
        answer_of("doctr", content)


def test_options_are_checked() -> None:
    """Unknown ones, and fields that no version has."""
    with pytest.raises(UsageError, match="set one of: assume_straight_pages, bin_thresh"):
        open_preset("doctr").check(service("doctr", lang="de"))
    with pytest.raises(UsageError, match="set it to one of: files, file"):
        open_preset("doctr").check(service("doctr", field="image"))
    open_preset("doctr").check(service("doctr", field="file", reco_arch="crnn_vgg16_bn"))
