"""Bodies of requests: forms with a file, and JSON with the image as base64."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ocrwatch.executors.http_ocr.presets.base import Image

JSON = "application/json"


def form(image: Image, file_field: str, fields: Iterable[tuple[str, str]] = ()) -> tuple[bytes, str]:
    """Return body and content type of a form, as ``multipart/form-data``, with the image and other fields."""
    # Only here, as it takes 10 MB of memory: not for services that take JSON.
    from urllib3.filepost import encode_multipart_formdata  # noqa: PLC0415

    file = (file_field, (image.file_name, image.content, image.media_type))
    return encode_multipart_formdata([*fields, file])


def json_body(content: Mapping[str, Any]) -> bytes:
    """Return JSON."""
    return msgspec.json.encode(content)


def as_base64(image: Image) -> str:
    """Return the image as base64."""
    return base64.b64encode(image.content).decode("ascii")


def data_uri(image: Image) -> str:
    """Return the image as ``data:`` URI."""
    return f"data:{image.media_type};base64,{as_base64(image)}"
