"""Decides whose fault it is that a service did not read an image, by the status of its answer.

RFC 9110 defines the statuses, RFC 6585 the status 429.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Iterator
from typing import Final

import msgspec

from ocrwatch.errors import EngineFailed, OcrwatchError, Rejected, ServiceFault
from ocrwatch.executors.http_ocr.presets.parsing import shortened

MOST_WAITED: Final = 3600.0
"""Longest wait in seconds that a service may ask for (Retry-After)."""

_KEY: Final = frozenset({401, 403, 407})
_QUOTA: Final = 402
_ADDRESS: Final = frozenset({404, 405, 406, 410, 411, 421, 426, 501, 505})
_IMAGE: Final = {413: "it is too large", 415: "it does not take images of this kind"}
_REQUEST: Final = frozenset({400, 422})
_BUSY: Final = frozenset({408, 425, 429, 502, 503, 504, 529})
_GATEWAY: Final = frozenset({502, 504})

_MOST_SEARCHED: Final = 4096
"""Bytes of the body of a refusal that are searched for a message."""

_MESSAGES: Final = ("message", "detail", "error_msg", "errorMsg", "error_description", "error", "title", "reason")
"""Names of the message in the bodies of refusals, the most telling first."""


def is_accepted(status: int) -> bool:
    """Return whether an answer has what was asked for."""
    return 200 <= status < 300  # noqa: PLR2004 - 2xx


def is_ambiguous(status: int) -> bool:
    """Return whether either the image or the service may be the reason of a refusal."""
    return status == 500 or status in _REQUEST or status in _IMAGE  # noqa: PLR2004 - internal error


def may_be_of_image(status: int) -> bool:
    """Return whether a service that is not available may have been ended by the image: its proxy answers then."""
    return status in _GATEWAY


def may_be_of_key(status: int) -> bool:
    """Return whether the key, or the token that was given for it, may be the reason of a refusal."""
    return status in _KEY


def refusal(service: str, status: int, retry_after: str, body: bytes) -> OcrwatchError:
    """Return the error of an answer with this status.

    It is a :class:`ServiceFault`, or, if the image may be to blame, :class:`Rejected` or :class:`EngineFailed`.
    """
    said = excerpt(body)
    answered = f"the service {service} answered {status}{f': {said}' if said else ''}"
    if status in _IMAGE:
        return Rejected(f"{answered} ({_IMAGE[status]})", "set a smaller max_bytes or another prepare of the service")
    if status in _REQUEST:
        return Rejected(answered, "see what the service takes, and the options of the service; drop the scan in again")
    if status == 500:  # noqa: PLR2004 - internal error, of all images or of this one
        return EngineFailed(answered, "look at the scan, and at the log of the service")
    fault = ServiceFault(answered, _remedy(status))
    fault.wait = _seconds(retry_after)
    return fault


def excerpt(body: bytes) -> str:
    """Return what the body of a refusal says, as one line of at most 200 characters."""
    text = body[:_MOST_SEARCHED].decode("utf-8", "replace")
    try:
        said = next(_messages(msgspec.json.decode(body)), text)
    except (msgspec.MsgspecError, RecursionError):
        said = re.sub(r"<[^>]*>", " ", text)
    return shortened(said) if said.strip() else ""


def _messages(found: object) -> Iterator[str]:
    match found:
        case str():
            yield found
        case dict():
            for name in _MESSAGES:
                if found.get(name):
                    yield from _messages(found[name])
        case list():
            for each in found:
                yield from _messages(each)


def _remedy(status: int) -> str:
    if status in _KEY:
        return "check key_file or key_variable of the service"
    if status == _QUOTA:
        return "see the account of the service: nothing is left to pay with"
    if status in _ADDRESS or status < 400:  # noqa: PLR2004 - a redirect, which is not followed
        return "check url and preset of the service"
    if status in _BUSY:
        return "nothing, if it passes: it is tried again; otherwise set a lower rate, or see the service"
    return "see the service: it is tried again"


def _seconds(retry_after: str) -> float:
    """Return the seconds of a Retry-After, which are a number or a date; 0 if it has none."""
    value = retry_after.strip()
    if value.isdecimal() and len(value) < 10:  # noqa: PLR2004 - 30 years
        return min(float(value), MOST_WAITED)
    try:
        at = email.utils.parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(max(0.0, at - time.time()), MOST_WAITED)
