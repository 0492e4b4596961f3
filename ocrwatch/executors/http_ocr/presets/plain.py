"""Base of presets: what most kinds of service have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ocrwatch.document import UNPLACED, Block
from ocrwatch.errors import ServiceFault
from ocrwatch.executors.http_ocr.presets.base import Answer, KeyPlace, TokenExchange
from ocrwatch.executors.http_ocr.presets.parsing import check_options
from ocrwatch.recipe import RemoteService


class PlainPreset:
    """A service that answers at once, and gets its key as it is, if it has one, as ``Authorization: Bearer``."""

    key: ClassVar[KeyPlace] = KeyPlace()
    media_types: ClassVar[frozenset[str]] = frozenset({"image/jpeg", "image/png"})
    max_bytes: ClassVar[int] = 0
    polls: ClassVar[bool] = False
    options: ClassVar[frozenset[str]] = frozenset()

    def check(self, service: RemoteService) -> None:
        """Raise UsageError for an option that the preset does not know."""
        check_options(service, self.options)

    def exchange(self, key: str, service: RemoteService) -> TokenExchange | None:  # noqa: ARG002 - others need them
        """Return None: the key is sent itself."""
        return None

    def token(self, body: bytes) -> tuple[str, float]:  # noqa: ARG002 - others need it
        """Raise ServiceFault: no key is exchanged."""
        raise ServiceFault("the OCR service has no tokens")


def unordered(blocks: Sequence[Block], version: str = "", warnings: tuple[str, ...] = ()) -> Answer:
    """Return the answer of a service that gives no reading order.

    It is taken as one if the place of a line is unknown.
    """
    in_order = any(line.box == UNPLACED for block in blocks for line in block.lines)
    return Answer(tuple(blocks), version, in_order, warnings)
