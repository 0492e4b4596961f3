"""The separator sheet, printed and scanned."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image
from pypdf import PdfReader

from ocrwatch.commands.separator import separator
from ocrwatch.commands.separator_sheet import separator_sheet
from ocrwatch.document import Code
from ocrwatch.errors import EnvironmentFault, ExitCode, UsageError
from ocrwatch.recognise import code_library
from ocrwatch.recognise.decode import decode
from ocrwatch.recognise.extract.codes import find_codes
from ocrwatch.recognise.separators import is_separator, profiles_named
from tests.rendering import encode


def printed(dpi: int, profile: str = "") -> Image.Image:
    """Draw the sheet as it is scanned."""
    page = pypdfium2.PdfDocument(separator_sheet(profile))[0]
    image: Image.Image = page.render(scale=dpi / 72, grayscale=True).to_pil().convert("L")
    return image


def codes_on(image: Image.Image) -> tuple[Code, ...]:
    """Find the codes of a scan in bad quality."""
    return find_codes(decode(encode(image, quality=40), max_pixels=10**9))


@pytest.mark.parametrize("dpi", [100, 150, 200, 300])
@pytest.mark.parametrize("degrees", [0.0, 3.0, -3.0, 90.0, 180.0, 183.0, 270.0])
def test_a_scanned_sheet_is_a_separator(dpi: int, degrees: float) -> None:
    """Both of its codes are found, however it lies in the scanner."""
    sheet = printed(dpi).rotate(degrees, expand=True, resample=Image.Resampling.BICUBIC, fillcolor=255)
    codes = codes_on(sheet)
    assert {(code.kind, code.text) for code in codes} == {("qr", "ocrwatch:separator"), ("code128", "PATCHT")}
    assert all(map(is_separator, codes))


def test_one_code_is_enough() -> None:
    """The other may be torn off, or covered; a fax is read, too."""
    sheet = printed(150)
    middle = sheet.height * 2 // 3 - 20
    for part in ((0, 0, sheet.width, middle), (0, middle, sheet.width, sheet.height)):
        (code,) = codes_on(sheet.crop(part))
        assert is_separator(code)
    fax = sheet.resize((sheet.width * 204 // 150, sheet.height * 98 // 150)).convert("1").convert("L")
    assert any(map(is_separator, codes_on(fax.resize((fax.width, fax.height * 2)))))


def test_the_sheet_says_what_it_is() -> None:
    """It is one page of A4 with words in it, and the same each time."""
    reader = PdfReader(io.BytesIO(separator_sheet()), strict=True)
    (page,) = reader.pages
    assert tuple(map(int, page.mediabox)) == (0, 0, 595, 842)
    text = page.extract_text()
    assert text.startswith("Separator sheet\nPut this sheet between two documents")
    assert separator_sheet() == separator_sheet()


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("invoices", "invoices"),
        (r"Müller (a\b) 5 % €", r"Müller (a\b) 5 % €"),
        ("請求書\n\x00", "?????"),
        ("W" * 200, "W" * 33 + "\n" + "W" * 33 + "\n" + "W" * 30 + "..."),
    ],
)
def test_a_sheet_names_a_profile(profile: str, words: str) -> None:
    """Its code has any characters; its words have those of the fonts that every viewer has."""
    codes = codes_on(printed(150, profile).rotate(180))
    assert profiles_named(codes) == (profile,)
    assert sorted(code.kind for code in codes) == ["code128", "qr"]
    (page,) = PdfReader(io.BytesIO(separator_sheet(profile)), strict=True).pages
    assert page.extract_text().endswith(f"Profile of the documents behind this sheet:\n{words}")


def settings_with(folder: Path, *names: str) -> Path:
    """Write settings with profiles."""
    path = folder / "my.toml"
    path.write_text("".join(f"[[profiles]]\nmatch = '{name}/**'\nname = '{name}'\n" for name in names), "utf-8")
    path.chmod(0o644)
    return path


def test_the_profile_of_a_sheet_must_exist(tmp_path: Path) -> None:
    """The error names those that do; a profile without a name has its pattern."""
    config, file = settings_with(tmp_path, "invoices", ""), tmp_path / "separator.pdf"
    for name in ("invoices", "/**"):
        assert separator(file, name, config) is ExitCode.FINE
        assert file.read_bytes() == separator_sheet(name)
    with pytest.raises(UsageError) as caught:
        separator(file, "invoces", config)
    assert caught.value.message == "there is no profile named invoces"
    assert caught.value.remedy == "choose one of: invoices, /**; --config names other settings"
    with pytest.raises(UsageError, match="no profile named invoices") as caught:
        separator(file, "invoices", settings_with(tmp_path))
    assert "they have none" in caught.value.remedy


def test_a_name_that_is_too_long_for_a_sheet_is_refused(tmp_path: Path) -> None:
    """Its code would be too fine to be scanned."""
    name = "ü" * 101
    with pytest.raises(UsageError, match="too long for a sheet: 202 bytes, and at most 200 fit"):
        separator(tmp_path / "separator.pdf", name, settings_with(tmp_path, name))


def test_the_sheet_is_written_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An earlier one is replaced, and a sentence says what to do with it."""
    file = tmp_path / "separator.pdf"
    file.write_bytes(b"earlier")
    assert separator(file) is ExitCode.FINE
    assert file.read_bytes() == separator_sheet()
    assert capsys.readouterr().out == f"{file} is written: print it, and put it between documents\n"


def test_the_sheet_is_written_to_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """For a printer; nothing else is."""
    assert separator(None) is ExitCode.FINE
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == separator_sheet()


def test_a_terminal_gets_no_pdf(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to type."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(UsageError) as caught:
        separator(None)
    assert caught.value.remedy == "name a file: ocrwatch separator -o separator.pdf"


def test_a_file_that_is_no_pdf_is_not_replaced(tmp_path: Path) -> None:
    """It may be a scan."""
    scan = tmp_path / "scan.jpg"
    scan.write_bytes(b"scan")
    with pytest.raises(UsageError, match=r"does not end in \.pdf"):
        separator(scan)
    assert scan.read_bytes() == b"scan"


def test_a_folder_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """In one sentence."""
    with pytest.raises(EnvironmentFault, match="cannot write the sheet"):
        separator(tmp_path / "missing" / "separator.pdf")


def test_without_the_library_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The sheet would be of no use here without it."""
    monkeypatch.setattr(code_library, "find_spec", lambda _: None)
    with pytest.raises(EnvironmentFault) as caught:
        separator(tmp_path / "separator.pdf")
    assert caught.value.message == "ocrwatch separator needs the Python package zxing-cpp, which is not installed"
    assert "ocrwatch[codes]" in caught.value.remedy
