"""Preset ``tesseract-server``: hertzg/tesseract-server (2.0 and later), which runs Tesseract's program.

It gets options and the file in a form, and answers exit status, messages and output of the program:
``{"data": {"exit": {"code": 0, "signal": null}, "stderr": …, "stdout": …}}``. It is asked for Tesseract's TSV, which
has words, places and confidences.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

import msgspec

from ocrwatch.errors import Rejected, ServiceFault, UsageError
from ocrwatch.executors.http_ocr.presets.addresses import rest_of_path
from ocrwatch.executors.http_ocr.presets.base import Answer, Image, Request
from ocrwatch.executors.http_ocr.presets.bodies import form, json_body
from ocrwatch.executors.http_ocr.presets.parsing import check_options, decode, refused, rejected, unexpected
from ocrwatch.executors.http_ocr.presets.plain import PlainPreset
from ocrwatch.executors.http_ocr.presets.text import clean, kept_within, unplaced
from ocrwatch.recipe import RemoteService

_NUMBERS: Final = {"psm": "pageSegmentationMethod", "oem": "ocrEngineMode", "dpi": "dpi"}
"""Options and the server's names of them."""

_VALUES: Final = {"psm": (1, *range(3, 14)), "oem": range(4), "dpi": range(70, 2401)}
"""What they may be; the other page segmentation modes give no text."""

_TSV: Final = ("level\t", "1\t1\t0\t")
"""How TSV begins: with its header, or with the row of the first page."""

_NO_LANGUAGE: Final = "Could not initialize tesseract"
"""Message of Tesseract if it has no data of the languages."""

_MISSING: Final = re.compile(r"Failed loading language '([^']{1,40})'")
"""Message of Tesseract if it has no data of one of the languages; it reads with the others."""


class _Exit(msgspec.Struct):
    code: int | None
    signal: Any = None


class _Output(msgspec.Struct):
    exit: _Exit
    stdout: str
    stderr: str = ""


class _Body(msgspec.Struct):
    data: _Output


class TesseractServerPreset(PlainPreset):
    """A form with options and image to ``/tesseract``."""

    media_types: ClassVar[frozenset[str]] = frozenset({"image/jpeg", "image/png", "image/tiff"})
    options: ClassVar[frozenset[str]] = frozenset(_NUMBERS)

    def check(self, service: RemoteService) -> None:
        """Raise UsageError for options that the preset does not know, and for values that Tesseract does not."""
        check_options(service, self.options)
        for name, value in service.options:
            numbers = _VALUES[name]
            if not re.fullmatch("[0-9]{1,4}", value) or int(value) not in numbers:
                raise UsageError(
                    f"the option {name} of [[remote]] {service.name} is {value!r}",
                    f"set it to a number from {numbers[0]} to {numbers[-1]}{', but not 2' if name == 'psm' else ''}",
                )

    def request(self, image: Image, service: RemoteService, languages: tuple[str, ...]) -> Request:
        """Return the request."""
        numbers = {_NUMBERS[name]: int(value) for name, value in service.options if name in _NUMBERS}
        options = {"languages": list(languages), "configParams": {"tessedit_create_tsv": "1"}, **numbers}
        body, content_type = form(image, "file", [("options", json_body(options).decode())])
        return Request(body, content_type, rest_of_path(service, "/tesseract"))

    def answer(self, body: bytes, image: Image, service: RemoteService) -> Answer:
        """Return the text. Raises ServiceFault, or Rejected if Tesseract failed on the image."""
        output = decode(body, _Body, service).data
        if output.exit.code != 0:
            raise _failure(output, service)
        warnings = tuple(
            f"the service {service.name} has no data of the language {clean(name)}"
            for name in dict.fromkeys(_MISSING.findall(output.stderr))
        )
        if not output.stdout.startswith(_TSV):
            return Answer(unplaced(output.stdout), warnings=warnings)
        # Only in a worker, which has loaded the engines; not to check options.
        from ocrwatch.recognise.engines.tsv import parse  # noqa: PLC0415

        try:
            blocks = parse(output.stdout)
        except (ValueError, OverflowError):
            raise unexpected(service, "TSV with other columns than Tesseract's") from None
        return Answer(kept_within(blocks, image), warnings=warnings)


def _failure(output: _Output, service: RemoteService) -> ServiceFault | Rejected:
    if output.exit.code is None:
        return rejected(service, f"Tesseract was ended by {output.exit.signal or 'a signal'}")
    if _NO_LANGUAGE in output.stderr:
        return refused(service, output.stderr, "install the language data at the service, or change ocr.languages")
    return rejected(service, output.stderr)
