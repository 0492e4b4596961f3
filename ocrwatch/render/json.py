"""The format ``json``: all data of a page, for programs."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import msgspec

from ocrwatch.document import UNPLACED, Block, Box, Cell, Code, Field, Line, Page, Quad, Second, Table, Upright, Word
from ocrwatch.render.base import Original

JSON_SCHEMA: Final = "ocrwatch.page/1"
"""Name and version of the JSON sidecar; the number grows when a field changes its meaning or is removed."""


class JsonFormat:
    """Text, blocks, lines and words, with boxes in upright pixels and confidences."""

    name: ClassVar[str] = "json"
    ending: ClassVar[str] = "json"

    def render(self, page: Page, original: Original) -> bytes:
        """Render the result of :func:`page_as_dict`.

        A number that is not finite becomes null (RFC 8259).
        """
        return msgspec.json.format(msgspec.json.encode(page_as_dict(page, original)), indent=1) + b"\n"


def page_as_dict(page: Page, original: Original) -> dict[str, Any]:
    """Return the JSON sidecar's content. Timings are left out: they differ each time."""
    return {
        "schema": JSON_SCHEMA,
        "source": {
            "path": original.printable_path,
            "bytes": original.size,
            "sha256": original.sha256,
        },
        "width": page.width,
        "height": page.height,
        "dpi": page.dpi,
        "orientation": page.orientation,
        "image": None if page.image is None else msgspec.to_builtins(page.image),
        "engine": {
            "name": page.engine.name,
            "version": page.engine.version,
            "languages": list(page.engine.languages),
        },
        **_second(page.second),
        "steps": list(page.steps),
        "warnings": list(page.warnings),
        "confidence": _rounded(page.confidence),
        "unread": _rounded(page.unread),
        "review": bool(original.review_reasons),
        "review_reasons": list(original.review_reasons),
        "upright": _upright(page.upright),
        "text": page.text,
        "blocks": [_block(block) for block in page.blocks],
        **_tables(page.tables),
        **_fields(page.fields),
        **_codes(page.codes),
    }


def _second(second: Second | None) -> dict[str, Any]:
    """Return what a second engine did; nothing if there was none.

    So the JSON of other pages is the same with and without its extra.
    """
    if second is None:
        return {}
    return {"second": {"name": second.name, "version": second.version, "lines": second.lines}}


def _upright(upright: Upright | None) -> dict[str, Any] | None:
    if upright is None:
        return None
    rows = [[round(value, 9) for value in upright.matrix[at : at + 3]] for at in (0, 3, 6)]
    return {
        "turns": upright.turns,
        "angle": upright.angle,
        "width": round(upright.width, 1),
        "height": round(upright.height, 1),
        "matrix": rows,
    }


def _block(block: Block) -> dict[str, Any]:
    return {"box": _box(block.box), "lines": [_line(line) for line in block.lines]}


def _line(line: Line) -> dict[str, Any]:
    baseline = line.baseline
    return {
        "text": line.text,
        "box": _box(line.box),
        "baseline": None if baseline is None else [baseline.x0, baseline.y0, baseline.x1, baseline.y1],
        "paragraph": line.paragraph,
        "confidence": _rounded(line.confidence),
        "words": [_word(word) for word in line.words],
    }


def _word(word: Word) -> dict[str, Any]:
    return {
        "text": word.text,
        "box": _box(word.box),
        "width": word.width or None,
        "height": word.height or None,
        "confidence": _rounded(word.confidence),
    }


def _tables(tables: tuple[Table, ...] | None) -> dict[str, Any]:
    """Return the tables; nothing if they were not looked for.

    So the JSON is the same as that of a version without tables.
    """
    return {} if tables is None else {"tables": [_table(table) for table in tables]}


def _table(table: Table) -> dict[str, Any]:
    return {
        "kind": table.kind,
        "rows": table.rows,
        "columns": table.columns,
        "confidence": _rounded(table.confidence),
        "box": _box(table.box),
        "corners": _corners(table.corners),
        "cells": [_cell(cell) for cell in table.cells],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "row": cell.row,
        "column": cell.column,
        "rows": cell.rows,
        "columns": cell.columns,
        "header": cell.is_header,
        "unread": cell.is_unread,
        "text": cell.text,
        "confidence": _rounded(cell.confidence),
        "box": _box(cell.box),
        "corners": _corners(cell.corners),
        "words": list(cell.words),
    }


def _fields(fields: tuple[Field, ...] | None) -> dict[str, Any]:
    """Return the fields by name; nothing if they were not looked for."""
    return {} if fields is None else {"fields": {field.name: field_as_dict(field) for field in fields}}


def field_as_dict(field: Field) -> dict[str, Any]:
    """Return a field without its name."""
    return {
        "value": field.value or None,
        "standing": field.standing.value,
        "ground": field.ground,
        "required": field.required,
        "text": field.text,
        "confidence": _rounded(field.confidence),
        "box": _box(field.box),
        "corners": None if field.corners is None else _corners(field.corners),
        "words": list(field.words),
    }


def _codes(codes: tuple[Code, ...] | None) -> dict[str, Any]:
    """Return the codes; nothing if they were not looked for."""
    return {} if codes is None else {"codes": [_code(code) for code in codes]}


def _code(code: Code) -> dict[str, Any]:
    return {"kind": code.kind, "text": code.text, "box": _box(code.box), "corners": _corners(code.corners)}


def _corners(quad: Quad) -> list[list[float]]:
    return [[round(x, 1), round(y, 1)] for x, y in zip(quad[::2], quad[1::2], strict=True)]


def _box(box: Box) -> list[int] | None:
    return None if box == UNPLACED else [box.left, box.top, box.right, box.bottom]


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 2)
