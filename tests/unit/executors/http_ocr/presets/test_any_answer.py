"""Whatever a service answers, a preset returns an answer, or raises a fault of the service or of the image."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ocrwatch.errors import Rejected, ServiceFault
from ocrwatch.executors.http_ocr.presets.base import Answer, Image, open_preset
from tests.ocr_answers import SHAPES
from tests.unit.executors.http_ocr.presets.services import assert_possible, service

pytestmark = pytest.mark.slow

PRESETS = ("rapidocr", "paddlex", "doctr", "tesseract-server", "ocr.space")

TINY = Image(b"", "image/png", 1, 1)
NARROW = Image(b"", "image/jpeg", 3, 5000)
PAGE = Image(b"", "image/jpeg", 2480, 3508)

NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.sampled_from([10**400, -(10**400), 1e308, -1e308, 5e-324, 0, -0.0]),
)
LEAVES = st.one_of(
    st.none(), st.booleans(), NUMBERS, st.text(max_size=20), st.sampled_from(["\ud800", "\x00", "1e999"])
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5)
)


def assert_handled(preset: str, body: bytes) -> None:
    """Parse an answer for several images."""
    for image in (TINY, NARROW, PAGE):
        result = parsed(preset, body, image)
        if isinstance(result, Answer):
            assert_possible(result, image)
        else:
            assert "\n" not in result.message
            assert len(result.message) < 500
            assert result.remedy


def parsed(preset: str, body: bytes, image: Image) -> Answer | ServiceFault | Rejected:
    """Return an answer, or the fault that is raised instead."""
    try:
        return open_preset(preset).answer(body, image, service(preset))
    except (ServiceFault, Rejected) as fault:
        return fault


@pytest.mark.parametrize("preset", PRESETS)
@given(body=st.binary(max_size=200))
@example(body=b"")
@example(body=b"[" * 200_000)
@example(body=b'{"a":' * 200_000)
@example(body=b"1" * 10_000)
@example(body=b"\xff\xfe{\x00}\x00")
def test_any_bytes(preset: str, body: bytes) -> None:
    """Rubbish, nothing, endless nesting."""
    assert_handled(preset, body)


@pytest.mark.parametrize("preset", PRESETS)
@given(value=VALUES)
def test_any_json(preset: str, value: Any) -> None:
    """JSON that is nothing of a result, also with what only Python writes."""
    assert_handled(preset, json.dumps(value).encode())


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """Return each list or object within a value, with each index or name that it has."""
    members = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    return [place for at, member in members for place in ((value, at), *places_in(member))]


@pytest.mark.parametrize("preset", PRESETS)
@given(data=st.data())
def test_any_value_in_a_result(preset: str, data: st.DataObject) -> None:
    """A result in which some values are replaced by others."""
    result = json.loads(json.dumps(SHAPES[preset].answer(["The amber harbour", "stands here", "张三 12"])))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, at = data.draw(st.sampled_from(places_in(result)))
        holder[at] = data.draw(VALUES)
    assert_handled(preset, json.dumps(result).encode())


@pytest.mark.parametrize("preset", PRESETS)
@given(data=st.data())
def test_any_cut_or_changed_byte(preset: str, data: st.DataObject) -> None:
    """A result that ends early, or has other bytes in it."""
    body = bytearray(json.dumps(SHAPES[preset].answer(["The amber harbour"]), ensure_ascii=False).encode())
    at = data.draw(st.integers(0, len(body) - 1))
    if data.draw(st.booleans()):
        del body[at:]
    else:
        body[at] = data.draw(st.integers(0, 255))
    assert_handled(preset, bytes(body))
