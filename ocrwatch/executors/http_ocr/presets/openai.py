"""Vision models behind OpenAI's interface for chats: ``POST …/v1/chat/completions``.

OpenAI's reference of *Chat Completions* (version 1) describes it. vLLM, llama.cpp, Ollama, LM Studio and others have
the same interface, with differences that are known here: thoughts in the text, reasons to stop with other names, and
errors with status 200, as text or as object.

A model may invent text, leave some out, or repeat itself. Text that was cut off is refused, because a page that lacks
its end looks complete; so is a loop. The text has no places and no confidences.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

import msgspec

from ocrwatch.errors import OcrwatchError, Rejected, UsageError
from ocrwatch.executors.http_ocr.presets.addresses import path_of, rest_of_path
from ocrwatch.executors.http_ocr.presets.base import Answer, Image, Request
from ocrwatch.executors.http_ocr.presets.bodies import JSON, data_uri, json_body
from ocrwatch.executors.http_ocr.presets.model_text import (
    BLANK,
    Repetition,
    ends_in_thoughts,
    repetition,
    without_additions,
)
from ocrwatch.executors.http_ocr.presets.parsing import choice, decode, refused, rejected, unexpected
from ocrwatch.executors.http_ocr.presets.places import finite
from ocrwatch.executors.http_ocr.presets.plain import PlainPreset
from ocrwatch.executors.http_ocr.presets.text import clean, unplaced
from ocrwatch.recipe import RemoteService

PROMPT: Final = (
    "Transcribe all text on this scanned page, exactly as it is printed or written, in reading order. Write each line "
    "of the page on a line of its own, and an empty line between paragraphs. Do not translate, correct, complete, "
    "summarise or describe anything. Answer with the text only: no introduction, no comments, no Markdown, no code "
    f"fences. If there is no text on the page, answer with {BLANK} only."
)
MAY_INVENT: Final = "the text was written by a language model, which may invent or leave out text"
REPEATS: Final = "the language model repeats the same lines many times, which may not be so on the page"

_MAX_TOKENS: Final = 4096
_HOTTEST: Final = 2
_DETAILS: Final = ("high", "auto", "low", "none")

_COMPLETE: Final = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence"})
"""Reasons to stop, of several servers, that mean that the model had finished."""
_CUT_OFF: Final = frozenset({"length", "max_tokens", "model_length"})
_FILTERED: Final = "content_filter"

_RAISE: Final = "raise max_tokens in the options of [[remote]], or the server's context length"


class _Body(msgspec.Struct):
    choices: list[Any] | None = None
    error: Any = None
    model: Any = None
    usage: Any = None
    object: Any = None
    message: Any = None


class OpenaiPreset(PlainPreset):
    """A vision model behind an OpenAI-compatible server."""

    max_bytes: ClassVar[int] = 20_000_000
    options: ClassVar[frozenset[str]] = frozenset(
        {"model", "prompt", "max_tokens", "max_completion_tokens", "temperature", "detail"}
    )

    def check(self, service: RemoteService) -> None:
        """Raise UsageError for an unknown or wrong option, or if ``model`` is missing."""
        super().check(service)
        options = dict(service.options)
        if not options.get("model", "").strip():
            raise UsageError(
                f"the preset openai of [[remote]] {service.name} lacks the option model",
                'set it to a vision model of the server, such as options = { model = "gpt-4o" }',
            )
        for name in ("max_tokens", "max_completion_tokens"):
            if not re.fullmatch(r"[1-9][0-9]{0,6}", options.get(name, "1"), re.ASCII):
                raise _wrong(service, name, "set it to a number from 1 to 9999999, in quotes")
        value = options.get("temperature", "0")
        number = finite(value)
        if value != "none" and (number is None or not 0 <= number <= _HOTTEST):
            raise _wrong(service, "temperature", 'set it to a number from 0 to 2, in quotes, or to "none"')
        choice(service, "detail", _DETAILS, _DETAILS[0])

    def request(self, image: Image, service: RemoteService, languages: tuple[str, ...]) -> Request:
        """Return the question with the image as data URI. ``{languages}`` in a prompt becomes their names."""
        options = dict(service.options)
        address: dict[str, Any] = {"url": data_uri(image)}
        if (detail := choice(service, "detail", _DETAILS, _DETAILS[0])) != "none":
            address["detail"] = detail
        prompt = options.get("prompt", PROMPT).replace("{languages}", ", ".join(languages))
        name, limit = _limit(service)
        asked: dict[str, Any] = {
            "model": options["model"],
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": prompt}, {"type": "image_url", "image_url": address}],
                }
            ],
            name: limit,
            "stream": False,
        }
        if (temperature := options.get("temperature", "0")) != "none":
            asked["temperature"] = float(temperature)
        # Servers with another path than /v1 have it in their documented address.
        path = "/chat/completions" if path_of(service) else "/v1/chat/completions"
        return Request(json_body(asked), JSON, rest_of_path(service, path))

    def answer(self, body: bytes, image: Image, service: RemoteService) -> Answer:  # noqa: ARG002 - it has no places
        """Return the text without places and confidences.

        Raises Rejected if the text is not complete, or the model refuses or repeats itself.
        """
        decoded = decode(body, _Body, service)
        if decoded.error is not None or (decoded.object == "error" and not decoded.choices):
            raise _error(decoded.error if decoded.error is not None else decoded.message, service)
        if not decoded.choices or not isinstance(decoded.choices[0], dict):
            raise unexpected(service, "an object without choices")
        first: dict[str, Any] = decoded.choices[0]
        if first.get("error"):
            raise _error(first["error"], service)
        written = _content(first, service)
        repeats = repetition(written)
        _refuse_incomplete(clean(first.get("finish_reason")), decoded.usage, written, repeats, service)
        warnings = (MAY_INVENT, REPEATS) if repeats is Repetition.SUSPICIOUS else (MAY_INVENT,)
        return Answer(unplaced(without_additions(written)), clean(decoded.model), warnings=warnings)


def _limit(service: RemoteService) -> tuple[str, int]:
    """Return name and value of the limit of an answer: newer models of OpenAI know only the longer name."""
    options = dict(service.options)
    name = "max_completion_tokens" if "max_completion_tokens" in options else "max_tokens"
    return name, int(options.get(name, _MAX_TOKENS))


def _content(first: dict[str, Any], service: RemoteService) -> str:
    """Return what the model wrote. Raises Rejected for a refusal, and ServiceFault if there is no message."""
    message = first.get("message")
    if not isinstance(message, dict):
        raise unexpected(service, "a choice without a message")
    if message.get("refusal"):
        raise rejected(service, ["the model refuses", message["refusal"]])
    content = message.get("content")
    if isinstance(content, list):  # parts, of some servers
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        content = "".join(part for part in parts if isinstance(part, str))
    if not isinstance(content, str):
        raise Rejected(
            f"the model of the OCR service {service.name} answered without text",
            "choose a model that reads images, or a server that knows how to ask it",
        )
    return content


def _refuse_incomplete(reason: str, usage: Any, written: str, repeats: Repetition, service: RemoteService) -> None:
    """Raise an error unless the text is complete, as far as the service tells. Without a reason, the usage tells."""
    if reason == _FILTERED:
        raise rejected(service, "its content filter stopped the text")
    if repeats is Repetition.LOOP:
        raise Rejected(
            f"the model of the OCR service {service.name} repeats itself without end",
            "try another model or prompt, or read the scan with another engine",
        )
    used = finite(usage.get("completion_tokens")) if isinstance(usage, dict) else None
    is_full = used is not None and used >= _limit(service)[1]
    if reason in _CUT_OFF or is_full or ends_in_thoughts(written):
        raise Rejected(f"the text of the OCR service {service.name} is cut off, as it is longer than allowed", _RAISE)
    if not reason and used is None:
        raise unexpected(service, "a choice without finish_reason, which tells whether the text is complete")
    if reason and reason not in _COMPLETE:
        raise rejected(service, f"the model stopped before the end of the text (finish_reason {reason})")


def _error(error: Any, service: RemoteService) -> OcrwatchError:
    words = error.get("message") or error.get("code") if isinstance(error, dict) else error
    return refused(service, words, "look at the server's log, and at url and model in [[remote]]")


def _wrong(service: RemoteService, name: str, remedy: str) -> UsageError:
    return UsageError(f"the option {name} of [[remote]] {service.name} is {dict(service.options)[name]!r}", remedy)
