"""The result of one check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, ParamSpec

from ocrwatch.errors import OcrwatchError

P = ParamSpec("P")

Severity = Literal["fine", "warning", "problem"]
"""A problem would stop ocrwatch; with a warning it works, but slower, later or not for long."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of a check. ``remedy`` is one sentence, empty if all is fine."""

    subject: str
    severity: Severity
    message: str
    remedy: str = ""


def check(subject: str, fine: str, test: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> Finding:
    """Run a test, and return its finding; ``fine`` is the message of a success.

    The test raises an :class:`OcrwatchError` if something is wrong.
    """
    try:
        test(*args, **kwargs)
    except OcrwatchError as error:
        return Finding(subject, "problem", error.message, error.remedy)
    return Finding(subject, "fine", fine)
