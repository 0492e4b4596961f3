"""Answers of OCR services, made by hand from their documentation, for :mod:`tests.ocr_services`.

A shape says where a kind of service is asked, and what it answers: the given lines of text, one below the other, in the
upper left quarter of the image; or a refusal with status 200.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

Lines = Sequence[str]

_LEFT, _TOP, _HEIGHT, _LETTER = 10, 10, 16, 7
"""Pixels of the first line, and of a letter."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What one kind of service answers."""

    path: str
    """Where it is asked; empty for any path."""
    answer: Callable[[Lines], Any]
    """The answer as JSON."""
    refusal: Any = None
    """A refusal of all images with status 200, as JSON; None if it has none, so that 503 is answered."""
    rejection: Any = None
    """A refusal of this image with status 200, as JSON; None if it has none, so that 400 is answered."""
    polls: bool = False
    """Whether it answers 202 first."""


def image_in(content_type: str, body: bytes) -> bytes:
    """Return the image in the body of a request of any kind; empty if there is none."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return _file_in(content_type, body)
    if kind == "application/json":
        return max(map(_decoded, _texts(json.loads(body))), key=len, default=b"")
    if kind == "application/x-www-form-urlencoded":
        return _decoded(parse_qs(body.decode("ascii")).get("image", [""])[0])
    return body


def _file_in(content_type: str, body: bytes) -> bytes:
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    for part in body.split(b"--" + boundary[1].encode())[1:-1] if boundary else ():
        head, _, content = part.partition(b"\r\n\r\n")
        if b"filename=" in head:
            return content.removesuffix(b"\r\n")
    return b""


def _texts(found: Any) -> list[str]:
    if isinstance(found, str):
        return [found]
    members = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    return [text for member in members for text in _texts(member)]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.partition("base64,")[2] or text, validate=True)
    except binascii.Error:
        return b""


def _rectangles(lines: Lines) -> list[tuple[int, int, int, int]]:
    """Return left, top, right and bottom of each line."""
    tops = [_TOP + 2 * _HEIGHT * number for number in range(len(lines))]
    return [(_LEFT, top, _LEFT + _LETTER * len(line), top + _HEIGHT) for line, top in zip(lines, tops, strict=True)]


def _quads(lines: Lines) -> list[list[list[float]]]:
    return [
        [[float(x), float(y)] for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))]
        for left, top, right, bottom in _rectangles(lines)
    ]


def _words(line: str, left: int) -> list[tuple[str, int, int]]:
    """Return the words of a line with their left and right ends."""
    return [(word[0], left + _LETTER * word.start(), left + _LETTER * word.end()) for word in re.finditer(r"\S+", line)]


def _rapidocr(lines: Lines) -> Any:
    return {
        str(number): {"rec_txt": line, "dt_boxes": quad, "score": 0.98765}
        for number, (line, quad) in enumerate(zip(lines, _quads(lines), strict=True))
    }


def _paddlex(lines: Lines) -> Any:
    pruned = {
        "model_settings": {"use_doc_preprocessor": False, "use_textline_orientation": True},
        "dt_polys": _quads(lines),
        "textline_orientation_angles": [0] * len(lines),
        "text_rec_score_thresh": 0.0,
        "rec_texts": list(lines),
        "rec_scores": [0.98765] * len(lines),
        "rec_polys": _quads(lines),
        "rec_boxes": [list(box) for box in _rectangles(lines)],
    }
    result = {"ocrResults": [{"prunedResult": pruned}], "dataInfo": {"type": "image"}}
    return {"logId": "1b2c", "errorCode": 0, "errorMsg": "Success", "result": result}


def _doctr(lines: Lines) -> Any:
    def geometry(left: float, top: float, right: float, bottom: float) -> list[float]:
        return [left / 1000, top / 1000, right / 1000, bottom / 1000]

    found = [
        {
            "geometry": geometry(left, top, right, bottom),
            "objectness_score": 0.9,
            "words": [
                {
                    "value": word,
                    "geometry": geometry(begin, top, end, bottom),
                    "objectness_score": 0.9,
                    "confidence": 0.99,
                    "crop_orientation": {"value": 0, "confidence": None},
                }
                for word, begin, end in _words(line, left)
            ],
        }
        for line, (left, top, right, bottom) in zip(lines, _rectangles(lines), strict=True)
    ]
    blocks = [{"geometry": [0.0, 0.0, 0.5, 0.5], "objectness_score": 0.9, "lines": found}] if found else []
    nothing = {"value": None, "confidence": None}
    return [
        {
            "name": "scan.jpg",
            "orientation": nothing,
            "language": nothing,
            "dimensions": [1000, 1000],
            "items": [{"blocks": blocks}],
        }
    ]


def _tesseract(lines: Lines) -> Any:
    rows = ["level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext"]
    rows.append("1\t1\t0\t0\t0\t0\t0\t0\t1000\t1000\t-1\t")
    for number, (line, (left, top, _, bottom)) in enumerate(zip(lines, _rectangles(lines), strict=True), 1):
        rows += [
            f"5\t1\t1\t1\t{number}\t{at}\t{begin}\t{top}\t{end - begin}\t{bottom - top}\t96.063751\t{word}"
            for at, (word, begin, end) in enumerate(_words(line, left), 1)
        ]
    return _exit(0, stdout="\n".join([*rows, ""]))


def _exit(code: int, stdout: str = "", stderr: str = "Estimating resolution as 153\n") -> Any:
    return {"data": {"exit": {"code": code, "signal": None}, "stderr": stderr, "stdout": stdout}}


def _ocr_space(lines: Lines) -> Any:
    found = [
        {
            "LineText": line,
            "Words": [
                {"WordText": word, "Left": float(begin), "Top": float(top), "Height": 16.0, "Width": float(end - begin)}
                for word, begin, end in _words(line, left)
            ],
            "MaxHeight": 16.0,
            "MinTop": float(top),
        }
        for line, (left, top, _, _) in zip(lines, _rectangles(lines), strict=True)
    ]
    page = {
        "TextOverlay": {"Lines": found, "HasOverlay": True, "Message": f"Total lines: {len(lines)}"},
        "TextOrientation": "0",
        "FileParseExitCode": 1,
        "ParsedText": "\r\n".join(lines),
        "ErrorMessage": "",
        "ErrorDetails": "",
    }
    return {
        "ParsedResults": [page],
        "OCRExitCode": 1,
        "IsErroredOnProcessing": False,
        "ProcessingTimeInMilliseconds": "312",
        "SearchablePDFURL": "",
    }


def _ocr_space_error(code: int, message: str) -> Any:
    return {"OCRExitCode": code, "IsErroredOnProcessing": True, "ErrorMessage": [message], "ErrorDetails": ""}


def _azure(lines: Lines) -> Any:
    def box(left: int, top: int, right: int, bottom: int) -> list[int]:
        return [left, top, right, top, right, bottom, left, bottom]

    found = [
        {
            "boundingBox": box(left, top, right, bottom),
            "text": line,
            "words": [
                {"boundingBox": box(begin, top, end, bottom), "text": word, "confidence": 0.98}
                for word, begin, end in _words(line, left)
            ],
        }
        for line, (left, top, right, bottom) in zip(lines, _rectangles(lines), strict=True)
    ]
    page = {"page": 1, "angle": 0.0, "width": 1000, "height": 1000, "unit": "pixel", "lines": found}
    result = {"version": "3.2.0", "modelVersion": "2022-04-30", "readResults": [page]}
    return {"status": "succeeded", "createdDateTime": "2026-11-27T10:00:00Z", "analyzeResult": result}


def _google(lines: Lines) -> Any:
    if not lines:
        return {"responses": [{}]}

    def box(left: int, top: int, right: int, bottom: int) -> Any:
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        return {"vertices": [{"x": x, "y": y} for x, y in corners]}

    def word(text: str, place: Any, after: str) -> Any:
        symbols: list[Any] = [{"text": letter, "confidence": 0.98} for letter in text]
        symbols[-1]["property"] = {"detectedBreak": {"type": after}}
        return {"boundingBox": place, "symbols": symbols, "confidence": 0.98}

    words = []
    for line, (left, top, _, bottom) in zip(lines, _rectangles(lines), strict=True):
        found = _words(line, left)
        words += [
            word(text, box(begin, top, end, bottom), "LINE_BREAK" if at == len(found) else "SPACE")
            for at, (text, begin, end) in enumerate(found, 1)
        ]
    whole = box(0, 0, 500, 500)
    block = {"blockType": "TEXT", "boundingBox": whole, "paragraphs": [{"boundingBox": whole, "words": words}]}
    page = {"width": 1000, "height": 1000, "blocks": [block]}
    return {"responses": [{"fullTextAnnotation": {"pages": [page], "text": "\n".join([*lines, ""])}}]}


def _baidu(lines: Lines) -> Any:
    found = [
        {
            "words": line,
            "location": {"left": left, "top": top, "width": right - left, "height": bottom - top},
            "probability": {"average": 0.98, "min": 0.9, "variance": 0.001},
        }
        for line, (left, top, right, bottom) in zip(lines, _rectangles(lines), strict=True)
    ]
    return {"log_id": 1, "words_result_num": len(found), "words_result": found}


def _openai(lines: Lines) -> Any:
    message = {"role": "assistant", "content": "\n".join(lines) or "[blank page]"}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "vision-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020},
    }


def _generic(lines: Lines) -> Any:
    return {"text": "\n".join(lines), "lines": [{"text": line, "score": 0.98} for line in lines]}


SHAPES = {
    "rapidocr": Shape("/ocr", _rapidocr),
    "paddlex": Shape(
        "/ocr",
        _paddlex,
        {"logId": "1b2c", "errorCode": 503, "errorMsg": "Service unavailable"},
        {"logId": "1b2c", "errorCode": 422, "errorMsg": "Unsupported file type"},
    ),
    "doctr": Shape("/ocr/", _doctr),
    "tesseract-server": Shape(
        "/tesseract",
        _tesseract,
        _exit(1, stderr="Failed loading language 'xyz'\nCould not initialize tesseract.\n"),
        _exit(1, stderr="Error in pixReadStream: Unknown format: no pix returned\nError during processing.\n"),
    ),
    "ocr.space": Shape(
        "/parse/image",
        _ocr_space,
        "You may only perform this action upto maximum 180 number of times within 3600 seconds",
        _ocr_space_error(3, "Unable to recognize the file type, E216:Unable to detect the file extension"),
    ),
    "azure-read": Shape(
        "/vision/v3.2/read/analyze",
        _azure,
        {"status": "failed", "error": {"code": "InternalServerError", "message": "Out of order."}},
        {"status": "failed", "error": {"code": "InvalidImage", "message": "The input data is not a valid image."}},
        polls=True,
    ),
    "google-vision": Shape(
        "/v1/images:annotate",
        _google,
        {"responses": [{"error": {"code": 8, "message": "Quota exceeded."}}]},
        {"responses": [{"error": {"code": 3, "message": "Bad image data."}}]},
    ),
    "baidu": Shape(
        "/rest/2.0/ocr/v1/accurate",
        _baidu,
        {"error_code": 18, "error_msg": "Open api qps request limit reached"},
        {"error_code": 216201, "error_msg": "image format error"},
    ),
    "openai": Shape("/v1/chat/completions", _openai, {"error": {"message": "The model is overloaded."}}),
    "generic": Shape("", _generic, {"error": "busy"}),
}
"""By the names of the presets."""
