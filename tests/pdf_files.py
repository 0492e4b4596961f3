"""PDF files for tests, as scanners and programs write them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, Stream

A4 = (595.0, 842.0)


@dataclass(frozen=True)
class Sheet:
    """One page: its content, and what belongs to it."""

    content: str
    size: tuple[float, float] = A4
    rotate: int = 0
    image: Mapping[str, Any] = field(default_factory=dict)
    """Dictionary of the image ``/Im``, with its data as ``data``; empty for none."""
    font: Mapping[str, Any] | None = None
    """Instead of Helvetica."""


def made(sheets: Iterable[Sheet], **saving: Any) -> bytes:
    """Return a PDF with these pages; ``saving`` is for pikepdf."""
    with Pdf.new() as pdf:
        for sheet in sheets:
            resources = Dictionary(Font=Dictionary(F=pdf.make_indirect(_font(pdf, sheet))))
            if sheet.image:
                facts = dict(sheet.image)
                image = Stream(pdf, facts.pop("data"), Type=Name.XObject, Subtype=Name.Image)
                for key, value in facts.items():
                    image[f"/{key}"] = value
                resources.XObject = Dictionary(Im=pdf.make_indirect(image))
            page = Dictionary(
                Type=Name.Page,
                MediaBox=Array([0, 0, *sheet.size]),
                Rotate=sheet.rotate,
                Resources=resources,
                Contents=Stream(pdf, sheet.content.encode("latin-1")),
            )
            pdf.pages.append(pikepdf.Page(pdf.make_indirect(page)))
        target = io.BytesIO()
        pdf.save(target, **saving)
    return target.getvalue()


def _font(pdf: Pdf, sheet: Sheet) -> Dictionary:
    if sheet.font is None:
        return Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica, Encoding=Name.WinAnsiEncoding)
    return Dictionary({f"/{key}": value for key, value in sheet.font.items()})


def text(lines: Iterable[tuple[float, float, str]], size: float = 12, mode: int = 0) -> str:
    """Return content that shows lines of text: left and baseline in points, and the text."""
    shown = []
    for x, y, line in lines:
        escaped = line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        shown.append(f"BT /F {size} Tf {mode} Tr 1 0 0 1 {x} {y} Tm ({escaped}) Tj ET")
    return "".join(f"\n{line}" for line in shown)


def jpeg_image(jpeg: bytes, width: int, height: int, *, gray: bool = False) -> dict[str, Any]:
    """Return the image of a scanner that saves JPEG."""
    return {
        "Width": width, "Height": height, "BitsPerComponent": 8, "Filter": Name.DCTDecode,
        "ColorSpace": Name.DeviceGray if gray else Name.DeviceRGB, "data": jpeg,
    }  # fmt: skip


def scanned(jpeg: bytes, width: int, height: int, dpi: float = 300, *, gray: bool = False) -> Sheet:
    """Return a page that is a scan and nothing else."""
    size = (width * 72 / dpi, height * 72 / dpi)
    return Sheet(
        f"q {size[0]:.4f} 0 0 {size[1]:.4f} 0 0 cm /Im Do Q", size, image=jpeg_image(jpeg, width, height, gray=gray)
    )
