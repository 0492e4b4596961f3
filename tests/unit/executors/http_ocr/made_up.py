"""Presets of services that do not exist."""

# ruff: noqa: ARG002 - some do not need what they are given

from __future__ import annotations

from typing import ClassVar

import msgspec

from ocrwatch.document import Block
from ocrwatch.errors import Rejected, ServiceFault
from ocrwatch.executors.http_ocr.presets.base import Answer, Image, KeyPlace, Request, TokenExchange
from ocrwatch.recipe import RemoteService


class Plain:
    """Sends the image, and gets blocks as JSON."""

    key: ClassVar[KeyPlace] = KeyPlace()
    media_types: ClassVar[frozenset[str]] = frozenset({"image/jpeg", "image/png"})
    max_bytes: ClassVar[int] = 1_000_000
    polls: ClassVar[bool] = False
    options: ClassVar[frozenset[str]] = frozenset()
    version: ClassVar[str] = ""

    def check(self, service: RemoteService) -> None:
        """Accept everything."""

    def request(self, image: Image, service: RemoteService, languages: tuple[str, ...]) -> Request:
        """Return the image."""
        return Request(image.content, image.media_type, path=f"/{image.width}x{image.height}/{'+'.join(languages)}")

    def answer(self, body: bytes, image: Image, service: RemoteService) -> Answer:
        """Return the blocks."""
        return Answer(msgspec.json.decode(body, type=tuple[Block, ...]), self.version, warnings=("made up",))

    def exchange(self, key: str, service: RemoteService) -> TokenExchange | None:
        """Send the key itself."""
        return None

    def token(self, body: bytes) -> tuple[str, float]:
        """Return none."""
        return "", 0.0


class Versioned(Plain):
    """Says its version."""

    version = "2026-11"


class Small(Plain):
    """Takes small images only."""

    max_bytes = 20_000


class Refusing(Plain):
    """Refuses with status 200: the image, or all images."""

    def answer(self, body: bytes, image: Image, service: RemoteService) -> Answer:
        """Refuse."""
        if body == b"image":
            raise Rejected("the service refuses the image", "scan it again")
        raise ServiceFault("no quota is left", "buy more")


class Broken(Plain):
    """Has bugs in all that it does."""

    def request(self, image: Image, service: RemoteService, languages: tuple[str, ...]) -> Request:
        """Return no request."""
        if service.options:
            raise KeyError("model")
        return "a request"  # type: ignore[return-value]

    def answer(self, body: bytes, image: Image, service: RemoteService) -> Answer:
        """Return what is no answer, in as many ways as there are bodies."""
        match body:
            case b"none":
                return None  # type: ignore[return-value]
            case b"blocks":
                return Answer(("not", "blocks"))  # type: ignore[arg-type]
            case b"words":
                return Answer((Block((("a", "b"),), None),))  # type: ignore[arg-type]
            case b"memory":
                raise MemoryError
        raise ZeroDivisionError("division by zero")
