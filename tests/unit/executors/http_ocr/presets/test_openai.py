"""Vision models behind OpenAI's interface: the question, and what answers mean."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ocrwatch.document import UNPLACED
from ocrwatch.errors import Rejected, ServiceFault, UsageError
from ocrwatch.executors.http_ocr.presets.base import key_place
from ocrwatch.executors.http_ocr.presets.openai import MAY_INVENT, PROMPT, REPEATS
from tests.unit.executors.http_ocr.presets.asking import (
    CONTENT,
    IMAGE,
    answer_of,
    lines_of,
    preset_of,
    service,
    words_of,
)

OPENAI = service("openai", "https://api.openai.com/v1", model="gpt-4o")
PAGE = "Invoice 12\n\nTotal 5.00"


def completion(content: Any, reason: Any = "stop", **facts: Any) -> dict[str, Any]:
    """Return an answer; ``facts`` are members of the message."""
    return {
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion",
        "created": 1741569952,
        "model": "gpt-4o-2024-08-06",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": None, "annotations": [], **facts},
                "logprobs": None,
                "finish_reason": reason,
            }
        ],
        "usage": {"prompt_tokens": 1117, "completion_tokens": 46, "total_tokens": 1163},
        "service_tier": "default",
    }


def sent_by(**options: str) -> dict[str, Any]:
    """Return the request as JSON."""
    of = service("openai", model="m", **options)
    body: dict[str, Any] = json.loads(preset_of(of).request(IMAGE, of, ("deu", "eng")).body)
    return body


def test_the_image_is_sent_in_a_message() -> None:
    """It is a data URI after the question."""
    request = preset_of(OPENAI).request(IMAGE, OPENAI, ("deu",))
    assert (request.path, request.content_type) == ("/chat/completions", "application/json")
    uri = f"data:image/jpeg;base64,{base64.b64encode(CONTENT).decode()}"
    assert json.loads(request.body) == {
        "model": "gpt-4o",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": PROMPT},
                    {"type": "image_url", "image_url": {"url": uri, "detail": "high"}},
                ],
            }
        ],
        "max_tokens": 4096,
        "stream": False,
        "temperature": 0.0,
    }


def test_options_change_the_request() -> None:
    """Newer models know another name of the limit, and no temperature."""
    body = sent_by(max_completion_tokens="9000", temperature="none", detail="none", prompt="Read {languages}!")
    assert body["max_completion_tokens"] == 9000
    assert "max_tokens" not in body
    assert "temperature" not in body
    text, image = body["messages"][0]["content"]
    assert text["text"] == "Read deu, eng!"
    assert set(image["image_url"]) == {"url"}
    assert sent_by(temperature="0.2")["temperature"] == 0.2


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://localhost:1234", "/v1/chat/completions"),
        ("http://localhost:1234/", "/v1/chat/completions"),
        ("http://localhost:11434/v1", "/chat/completions"),
        ("https://openrouter.ai/api/v1/", "/chat/completions"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "/chat/completions"),
        ("http://localhost:8000/v1/chat/completions", ""),
    ],
)
def test_a_url_may_have_the_servers_path(url: str, path: str) -> None:
    """Without one it is that of most servers."""
    of = service("openai", url, model="m")
    assert preset_of(of).request(IMAGE, of, ()).path == path


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "lacks the option model"),
        ({"model": " "}, "lacks the option model"),
        ({"model": "m", "max_tokens": "0"}, "max_tokens"),
        ({"model": "m", "max_tokens": "٣"}, "max_tokens"),
        ({"model": "m", "max_tokens": "9" * 5000}, "max_tokens"),
        ({"model": "m", "temperature": "hot"}, "temperature"),
        ({"model": "m", "temperature": "nan"}, "temperature"),
        ({"model": "m", "detail": "full"}, "detail"),
        ({"model": "m", "top_p": "1"}, "top_p"),
    ],
)
def test_wrong_options_are_usage_errors(options: dict[str, str], said: str) -> None:
    """They are found at the start; a model is needed."""
    with pytest.raises(UsageError, match=said):
        preset_of(service("openai", **options))


def test_the_key_is_a_bearer() -> None:
    """Servers on this machine need none."""
    place = key_place(preset_of(OPENAI), OPENAI)
    assert (place.header, place.prefix) == ("Authorization", "Bearer ")


def test_text_has_neither_places_nor_confidences() -> None:
    """It is marked as that of a model, in the model's order."""
    answer = answer_of(completion(PAGE), OPENAI)
    assert [[line.text for line in block.lines] for block in answer.blocks] == [["Invoice 12"], ["Total 5.00"]]
    assert words_of(answer)[0] == ("Invoice", UNPLACED, None)
    assert answer.in_order
    assert answer.version == "gpt-4o-2024-08-06"
    assert answer.warnings == (MAY_INVENT,)


@pytest.mark.parametrize(
    "content",
    [
        f"```\n{PAGE}\n```",
        f"<think>It is an invoice</think>{PAGE}",
        [{"type": "text", "text": "Invoice 12\n\n"}, {"type": "text", "text": "Total 5.00"}, None, {"type": "x"}],
        PAGE.replace("\n", "\r\n"),
    ],
)
def test_only_the_text_of_the_page_is_kept(content: Any) -> None:
    """Fences, thoughts and parts are peculiarities of models and servers."""
    assert lines_of(answer_of(completion(content), OPENAI)) == ["Invoice 12", "Total 5.00"]


@pytest.mark.parametrize("content", ["", "[blank page]", "[Blank]", " \n "])
def test_a_page_without_text_is_no_error(content: str) -> None:
    """It has no blocks."""
    assert answer_of(completion(content), OPENAI).blocks == ()


@pytest.mark.parametrize("reason", ["stop", "eos", "eos_token", "end_turn", "stop_sequence"])
def test_servers_name_the_end_differently(reason: str) -> None:
    """Each of these means that the model had finished."""
    assert answer_of(completion(PAGE, reason), OPENAI).blocks


def test_text_that_is_cut_off_is_refused() -> None:
    """It would look like a whole page."""
    cut = [completion(PAGE, reason) for reason in ("length", "max_tokens", "model_length")]
    full = completion(PAGE)
    full["usage"]["completion_tokens"] = 4096
    for body in (*cut, full, completion("<think>It is an")):
        with pytest.raises(Rejected, match="cut off") as caught:
            answer_of(body, OPENAI)
        assert "max_tokens" in caught.value.remedy


def test_without_a_reason_the_usage_tells() -> None:
    """If neither is there, no text of the server can be known to be complete: the settings are to blame."""
    known = completion(PAGE, None)
    assert lines_of(answer_of(known, OPENAI)) == ["Invoice 12", "Total 5.00"]
    del known["usage"]
    with pytest.raises(ServiceFault, match="finish_reason"):
        answer_of(known, OPENAI)


@pytest.mark.parametrize("reason", ["tool_calls", "function_call", "error", "content_filter", "abort"])
def test_other_ends_are_refused(reason: str) -> None:
    """The text ends too early."""
    with pytest.raises(Rejected):
        answer_of(completion(PAGE, reason), OPENAI)


@pytest.mark.parametrize(
    "message",
    [{"content": None}, {"content": 5}, {"content": "", "refusal": "I cannot help with that"}, {"content": {"a": 1}}],
)
def test_a_message_without_text_is_refused(message: dict[str, Any]) -> None:
    """A refusal is quoted; null is not taken for a blank page."""
    content = message.pop("content")
    with pytest.raises(Rejected, match=message.get("refusal", "without text")):
        answer_of(completion(content, **message), OPENAI)


def test_a_loop_is_refused_whatever_ended_it() -> None:
    """More tokens would not help."""
    for reason in ("stop", "length"):
        with pytest.raises(Rejected, match="repeats itself"):
            answer_of(completion(PAGE + "\nthe same line" * 300, reason), OPENAI)


def test_repetition_that_may_be_on_the_page_is_said() -> None:
    """The text is kept."""
    answer = answer_of(completion("0.00\n" * 40), OPENAI)
    assert len(lines_of(answer)) == 40
    assert answer.warnings == (MAY_INVENT, REPEATS)


@pytest.mark.parametrize(
    "body",
    [
        {"error": "Unexpected endpoint or method. (POST /chat/completions)"},
        {"error": {"message": "Unexpected endpoint", "type": "invalid_request_error", "code": None}},
        {"object": "error", "message": "Unexpected endpoint", "type": "BadRequestError", "code": 400},
        {"choices": [{"error": {"code": 502, "message": "Unexpected endpoint of the provider"}}]},
    ],
)
def test_errors_with_status_200_are_the_services(body: dict[str, Any]) -> None:
    """Servers have several forms of them; their words are quoted."""
    with pytest.raises(ServiceFault, match="Unexpected endpoint"):
        answer_of(body, OPENAI)


def test_a_message_does_not_repeat_the_image() -> None:
    """Some servers quote the request."""
    uri = f"data:image/jpeg;base64,{base64.b64encode(CONTENT).decode()}"
    with pytest.raises(ServiceFault) as caught:
        answer_of({"error": {"message": f"cannot load image_url {uri}"}}, OPENAI)
    assert uri[20:40] not in str(caught.value)
    assert "cannot load image_url" in caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"data: {}\n\n",
        b'{"choices": [{"message": {"content": "Inv',
        {"choices": []},
        {"choices": None},
        {"choices": [None]},
        {"choices": [{}]},
        {"choices": [{"message": "text"}]},
        {},
        [],
        None,
    ],
)
def test_other_bodies_are_faults_of_the_service(body: Any) -> None:
    """They are no answer of such a server."""
    with pytest.raises(ServiceFault):
        answer_of(body, OPENAI)
