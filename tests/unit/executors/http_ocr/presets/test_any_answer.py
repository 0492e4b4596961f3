"""Whatever a service answers: a preset makes text of it, or says whose fault it is, and nothing else."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocrwatch.document import UNPLACED
from ocrwatch.errors import Rejected, ServiceFault
from ocrwatch.executors.http_ocr.presets.base import Answer
from ocrwatch.recipe import RemoteService
from tests.unit.executors.http_ocr.presets import test_azure_read, test_baidu, test_google_vision, test_openai
from tests.unit.executors.http_ocr.presets.asking import SENT, preset_of, service, with_options
from tests.unit.executors.http_ocr.presets.test_generic import LINES, PLACES

GENERIC = with_options("generic", PLACES | {"error_path": "status", "error_value": "error", "missing": "blank"})
WORDS = with_options(
    "generic",
    {
        "lines": "lines[*]",
        "words": "words[*]",
        "word_text": "[1]",
        "word_box": "[0]",
        "word_confidence": "$.scores[*]",
        "box_members": "a,b,c,d",
        "units": "percent",
        "confidence_scale": "100",
    },
)
FLAT = with_options("generic", {"words": "words[*]", "word_box": "box", "word_text": "text", "box": "xywh"})

pytestmark = pytest.mark.slow

KNOWN: list[tuple[RemoteService, Any]] = [
    (test_azure_read.VISION, test_azure_read.result(test_azure_read.page(test_azure_read.LINE))),
    (test_azure_read.DOCUMENTS, test_azure_read.document()),
    (
        test_google_vision.GOOGLE,
        test_google_vision.answered(
            [test_google_vision.word("Dear", test_google_vision.corners(10, 10, 60, 40), "SPACE")]
        ),
    ),
    (test_baidu.BAIDU, test_baidu.ANSWER),
    (test_openai.OPENAI, test_openai.completion("text of a page\n\nin two parts")),
    (GENERIC, LINES),
    (WORDS, {"lines": [{"words": [[{"a": 1, "b": 2, "c": 3, "d": 4}, "one"]]}], "scores": [87]}),
    (FLAT, {"words": [{"text": "one", "box": [1, 2, 3, 4]}, {"text": "two", "box": [5, 2, 3, 4]}]}),
    (service("generic", text="text"), {"text": "some"}),
    (service("generic", answer="text"), "some"),
]
"""Services, each with an answer that it understands."""

NAMES = sorted({name for _, answer in KNOWN for name in json.dumps(answer).split('"')[1::2]})
NUMBERS = st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.integers(-3, 1500))
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=20), st.sampled_from(NAMES))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=20,
)


def check(of: RemoteService, body: bytes) -> None:
    """Let a preset parse a body, and check what it returns."""
    with contextlib.suppress(ServiceFault, Rejected):
        check_answer(preset_of(of).answer(body, SENT, of))


def check_answer(answer: Answer) -> None:
    """Boxes are on the image, confidences are percentages, and there is no empty text."""
    assert all(block.lines for block in answer.blocks)
    for line in (line for block in answer.blocks for line in block.lines):
        assert line.words
        for word in line.words:
            assert word.text.strip() == word.text != ""
            assert word.confidence is None or 0 <= word.confidence <= 100
            box = word.box
            assert box == UNPLACED or (
                0 <= box.left < box.right <= SENT.width and 0 <= box.top < box.bottom <= SENT.height
            )


@pytest.mark.parametrize(("of", "answer"), KNOWN)
def test_the_known_answers_are_understood(of: RemoteService, answer: Any) -> None:
    """They have text, so that the other tests begin with something that is read."""
    body = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
    assert preset_of(of).answer(body, SENT, of).blocks


@pytest.mark.parametrize("of", [of for of, _ in KNOWN])
@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=200))
@example(body=b"[" * 100_000)
@example(body=b'{"a":' * 50_000)
@example(body=b"1" * 10_000)
@example(body=b'{"status": "\xed\xa0\x80", "text": "\\ud800"}')
def test_any_bytes(of: RemoteService, body: bytes) -> None:
    """Bytes that are no JSON, and JSON that is nested too deeply, are no answer."""
    check(of, body)


@pytest.mark.parametrize("of", [of for of, _ in KNOWN])
@settings(max_examples=60, deadline=None)
@given(value=VALUES)
def test_any_json(of: RemoteService, value: Any) -> None:
    """Members that are known, with any values."""
    check(of, json.dumps(value).encode())


@pytest.mark.parametrize(("of", "answer"), KNOWN)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_change_of_an_answer(of: RemoteService, answer: Any, data: st.DataObject) -> None:
    """One or two places of a good answer have another value, or are missing; or its end is."""
    changed = json.loads(json.dumps(answer))
    for _ in range(data.draw(st.integers(1, 2))):
        changed = _changed(changed, data)
    body = json.dumps(changed).encode()
    check(of, body[: data.draw(st.sampled_from([len(body), len(body) // 2, len(body) - 1]))])


def _changed(answer: Any, data: st.DataObject) -> Any:
    places = list(_places(answer))
    if not places:
        return data.draw(VALUES)
    holder, name = data.draw(st.sampled_from(places))
    if data.draw(st.integers(0, 3)) == 0:
        del holder[name]
    else:
        holder[name] = data.draw(VALUES)
    return answer


def _places(value: Any) -> Any:
    """Yield each object or list, with each name or index in it."""
    for name in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, name
        yield from _places(value[name])
