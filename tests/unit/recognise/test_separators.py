"""Which codes say that a page is a separator sheet."""

from __future__ import annotations

from typing import get_args

import pytest

from ocrwatch.document import UNPLACED, Code, CodeKind
from ocrwatch.recognise.separators import is_separator


def _code(text: str, kind: CodeKind = "qr") -> Code:
    return Code(kind, text, UNPLACED, (0.0,) * 8)


@pytest.mark.parametrize("kind", get_args(CodeKind))
@pytest.mark.parametrize("text", ["PATCHT", "PATCH-T", "ocrwatch:separator"])
def test_separator_codes_of_any_kind(text: str, kind: CodeKind) -> None:
    """Those of other programs, and ocrwatch's own."""
    assert is_separator(_code(text, kind))


@pytest.mark.parametrize(
    "text", ["", "patcht", "PATCHT ", "PATCHT1", "SEE PATCHT", "PATCH", "ocrwatch:separator/", "OCRWATCH:SEPARATOR"]
)
def test_other_codes_are_none(text: str) -> None:
    """The whole text counts, letter for letter."""
    assert not is_separator(_code(text))
