"""Baidu's general OCR: ``accurate``, ``accurate_basic``, ``general`` and ``general_basic`` of version 1.

Baidu's documentation «通用文字识别» describes ``POST https://aip.baidubce.com/rest/2.0/ocr/v1/accurate?access_token=…``:
a form with the image as base64. The answer has lines (``words_result``) without words. The two kinds that are not
«basic» give places: a rectangle (``location``), and its corners if they are asked for (``vertexes_location``).
Confidences are from 0 to 1 (``probability.average``). All refusals have status 200, ``error_code`` and ``error_msg``.

A token (``access_token``) is valid for 30 days. It is exchanged for the API key and the secret key of an application by
``POST https://aip.baidubce.com/oauth/2.0/token`` («Access Token获取»).
"""

from __future__ import annotations

from typing import Any, ClassVar, Final
from urllib.parse import urlencode, urlsplit

import msgspec

from ocrwatch.errors import OcrwatchError, ServiceFault, UsageError
from ocrwatch.executors.http_ocr.presets.addresses import rest_of_path
from ocrwatch.executors.http_ocr.presets.base import Answer, Image, KeyPlace, Limits, Request, TokenExchange
from ocrwatch.executors.http_ocr.presets.bodies import as_base64
from ocrwatch.executors.http_ocr.presets.columns import along_text
from ocrwatch.executors.http_ocr.presets.languages import named
from ocrwatch.executors.http_ocr.presets.parsing import choice, decode, refused, rejected, shortened, unexpected
from ocrwatch.executors.http_ocr.presets.places import Place, finite, polygon, rectangle
from ocrwatch.executors.http_ocr.presets.plain import PlainPreset, unordered
from ocrwatch.executors.http_ocr.presets.text import Piece, block_of, clean, percent, split_line
from ocrwatch.recipe import RemoteService

_KINDS: Final = ("accurate", "accurate_basic", "general", "general_basic")
_FORM: Final = "application/x-www-form-urlencoded"

_LANGUAGES: Final = {
    "zh": "CHN_ENG",
    "en": "ENG",
    "ja": "JAP",
    "ko": "KOR",
    "fr": "FRE",
    "es": "SPA",
    "pt": "POR",
    "de": "GER",
    "it": "ITA",
    "ru": "RUS",
}
_MORE_LANGUAGES: Final = {
    "da": "DAN",
    "nl": "DUT",
    "ms": "MAL",
    "sv": "SWE",
    "id": "IND",
    "pl": "POL",
    "ro": "ROM",
    "tr": "TUR",
    "el": "GRE",
    "hu": "HUN",
    "th": "THA",
    "vi": "VIE",
    "ar": "ARA",
    "hi": "HIN",
}
"""What only the accurate kinds know."""
_CHINESE_AND_ENGLISH: Final = "CHN_ENG"
_ANY: Final = "auto_detect"

_IMAGE_FAULTS: Final = frozenset({216200, 216201, 216202, 216630, 216631, 216634, 282102, 282103, 282810})
"""An empty image, its format, its size, and recognition that fails for it."""
_REMEDIES: Final = {
    **dict.fromkeys((4, 18), "lower rate in [[remote]], or buy more requests per second"),
    **dict.fromkeys((17, 19), "buy more requests in Baidu's console, or wait until the free ones are renewed"),
    **dict.fromkeys((13, 14, 15, 100, 110, 111), "put a valid token, or API key:secret key, into the key file"),
    6: "allow the application this kind of OCR in Baidu's console",
}
_REMEDY: Final = "look at the state of the service in Baidu's console"


class _Body(msgspec.Struct):
    error_code: Any = None
    error_msg: Any = None
    words_result: Any = None


class _Token(msgspec.Struct):
    access_token: str = ""
    expires_in: Any = None
    error: Any = None
    error_description: Any = None


class BaiduPreset(PlainPreset):
    """Baidu's general OCR; the option ``kind`` says which."""

    key: ClassVar[KeyPlace] = KeyPlace(query="access_token")
    media_types: ClassVar[frozenset[str]] = frozenset({"image/jpeg", "image/png"})
    # 4 MB or, of the accurate kinds, 10 MB with the image as base64, in which some characters are escaped.
    max_bytes: ClassVar[int] = 2_800_000
    options: ClassVar[frozenset[str]] = frozenset({"kind", "language_type"})

    def check(self, service: RemoteService) -> None:
        """Raise UsageError for an option, or a value, that the preset does not know."""
        super().check(service)
        kind = _kind(service)
        known = {*_names(kind).values(), *([_ANY] if _is_accurate(kind) else [])}
        language = dict(service.options).get("language_type")
        if language is not None and language not in known:
            raise UsageError(
                f"the option language_type of [[remote]] {service.name} is {language!r}",
                f"set it to one of: {', '.join(sorted(known))}",
            )

    def limits(self, service: RemoteService) -> Limits:
        """Return the limits of this kind."""
        return Limits(7_000_000, max_side=8192) if _is_accurate(_kind(service)) else Limits(self.max_bytes, 4096)

    def request(self, image: Image, service: RemoteService, languages: tuple[str, ...]) -> Request:
        """Return the form with the image."""
        kind = _kind(service)
        fields = {
            "image": as_base64(image),
            "language_type": dict(service.options).get("language_type") or _language(kind, languages),
            "probability": "true",
        }
        if not kind.endswith("_basic"):
            fields["vertexes_location"] = "true"
        return Request(urlencode(fields).encode("ascii"), _FORM, rest_of_path(service, f"/rest/2.0/ocr/v1/{kind}"))

    def answer(self, body: bytes, image: Image, service: RemoteService) -> Answer:
        """Return the lines; their order is not documented."""
        decoded = decode(body, _Body, service)
        if decoded.error_code is not None and decoded.error_code != 0:
            raise _error(decoded, service)
        if not isinstance(decoded.words_result, list):
            raise unexpected(service, "an object without words_result")
        pieces = [_piece(each, image) for each in decoded.words_result if isinstance(each, dict)]
        return unordered(block_of(split_line(piece, image) for piece in pieces))

    def exchange(self, key: str, service: RemoteService) -> TokenExchange | None:
        """Return the exchange of ``API key:secret key``; None for a token."""
        api_key, is_pair, secret_key = key.strip().partition(":")
        if not is_pair:
            return None
        url = urlsplit(service.url)
        return TokenExchange(
            f"{url.scheme}://{url.netloc}/oauth/2.0/token",
            (
                ("grant_type", "client_credentials"),
                ("client_id", api_key.strip()),
                ("client_secret", secret_key.strip()),
            ),
        )

    def token(self, body: bytes) -> tuple[str, float]:
        """Return the token, and the seconds for which it is valid. Raises ServiceFault if there is none."""
        try:
            answer = msgspec.json.decode(body, type=_Token)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            answer = _Token(error="the answer is no token")
        seconds = finite(answer.expires_in)
        if not answer.access_token or seconds is None or seconds <= 0:
            raise ServiceFault(
                f"the OCR service gives no token: {shortened([answer.error, answer.error_description])}",
                "put API key:secret key of an application in Baidu's console into the key file",
            )
        return answer.access_token, seconds


def _kind(service: RemoteService) -> str:
    return choice(service, "kind", _KINDS, _KINDS[0])


def _is_accurate(kind: str) -> bool:
    return kind.startswith("accurate")


def _names(kind: str) -> dict[str, str]:
    return _LANGUAGES | (_MORE_LANGUAGES if _is_accurate(kind) else {})


def _language(kind: str, languages: tuple[str, ...]) -> str:
    """Return the service's language for several: it reads Chinese and English together, but no other two."""
    found = named(languages, _names(kind))
    if len(found) == 1:
        return found[0]
    if set(found) == {_CHINESE_AND_ENGLISH, _LANGUAGES["en"]}:
        return _CHINESE_AND_ENGLISH
    if _is_accurate(kind):
        return _ANY
    return found[0] if found else _CHINESE_AND_ENGLISH


def _piece(line: dict[str, Any], image: Image) -> Piece:
    text = clean(line.get("words"))
    chances = line.get("probability")
    confidence = percent(chances.get("average")) if isinstance(chances, dict) else percent(chances)
    return Piece(text, confidence, along_text(_place(line, image), text))


def _place(line: dict[str, Any], image: Image) -> Place | None:
    place = polygon(line.get("vertexes_location"), image)
    where = line.get("location")
    if place is not None or not isinstance(where, dict):
        return place
    return rectangle(where.get("left"), where.get("top"), where.get("width"), where.get("height"), image)


def _error(body: _Body, service: RemoteService) -> OcrwatchError:
    number = finite(body.error_code)
    code = int(number) if number is not None else -1
    words = f"{clean(body.error_msg) or 'no reason given'} (error_code {clean(body.error_code)})"
    return rejected(service, words) if code in _IMAGE_FAULTS else refused(service, words, _REMEDIES.get(code, _REMEDY))
