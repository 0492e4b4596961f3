"""Which codes say that a page is a separator sheet."""

from __future__ import annotations

from typing import get_args

import pytest

from ocrwatch.document import UNPLACED, Code, CodeKind
from ocrwatch.recognise.separators import LONGEST_NAME, is_separator, profiles_named, sheet_text


def _code(text: str, kind: CodeKind = "qr") -> Code:
    return Code(kind, text, UNPLACED, (0.0,) * 8)


@pytest.mark.parametrize("kind", get_args(CodeKind))
@pytest.mark.parametrize("text", ["PATCHT", "PATCH-T", "ocrwatch:separator", "ocrwatch:separator:invoices"])
def test_separator_codes_of_any_kind(text: str, kind: CodeKind) -> None:
    """Those of other programs, and ocrwatch's own."""
    assert is_separator(_code(text, kind))


@pytest.mark.parametrize(
    "text", ["", "patcht", "PATCHT ", "PATCHT1", "SEE PATCHT", "PATCH", "ocrwatch:separator/", "OCRWATCH:SEPARATOR"]
)
def test_other_codes_are_none(text: str) -> None:
    """The whole text counts, letter for letter."""
    assert not is_separator(_code(text))


@pytest.mark.parametrize("name", ["invoices", "a:b", " ", "../../etc", "Rechnungen für Müller", "\n\x00\u202e"])
def test_the_name_of_a_profile_is_any_text(name: str) -> None:
    """It is what is behind the colon, as it is."""
    assert profiles_named([_code(sheet_text(name)), _code("PATCHT"), _code("ASN1")]) == (name,)


def test_a_code_of_another_program_may_name_a_profile() -> None:
    """Its text may be as it is; what is no valid encoding is no name of a profile, and no error."""
    assert profiles_named([_code("ocrwatch:separator:Müller 5 %")]) == ("Müller 5 %",)
    assert sheet_text("Müller 5 %") == "ocrwatch:separator:M%C3%BCller 5 %25"
    assert profiles_named([_code("ocrwatch:separator:%FF")]) == ("\N{REPLACEMENT CHARACTER}",)


def test_a_sheet_may_name_no_profile_or_several() -> None:
    """The same name twice is one; a name that no sheet can have is cut, and stays another one."""
    assert profiles_named([_code("ocrwatch:separator:"), _code(sheet_text())]) == ()
    assert profiles_named([_code(sheet_text(name)) for name in ("b", "a", "b", "c")]) == ("a", "b")
    (cut,) = profiles_named([_code(sheet_text("x" * 4000))])
    assert len(cut) == LONGEST_NAME + 1
