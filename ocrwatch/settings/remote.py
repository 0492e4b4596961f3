"""Options of remote OCR services."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from ocrwatch.recipe import REMOTE, Preparation, RemoteService
from ocrwatch.settings.reading import Ocr
from ocrwatch.settings.section_base import Section, wrong_option
from ocrwatch.settings.types import (
    Duration,
    OptionalFile,
    OptionalName,
    PresetOptions,
    ServiceAddress,
    Size,
    between,
    format_duration,
    format_size,
    shown_address,
)

_NAME: Final = "[a-z0-9][a-z0-9_-]{0,29}"


def _name(value: str) -> str:
    if not re.fullmatch(_NAME, value):
        raise ValueError("write 1 to 30 small letters, digits, - and _, a letter or digit first")
    return value


# The pattern is only for editors, which get it by the JSON Schema.
ServiceName = Annotated[str, AfterValidator(_name), Field(json_schema_extra={"pattern": f"^{_NAME}$"})]
"""Name of a service."""


class Remote(Section):
    """A remote OCR service, which reads scans over HTTP: scans leave this machine.

    ocr.engine and ocr.second decide which scans are sent to it.
    """

    name: ServiceName
    """Name of the service: an engine of this name, such as "remote:cloud", reads with it."""
    preset: str = Field(min_length=1)
    """Kind of service: rapidocr, paddlex, doctr, tesseract-server, ocr.space, azure-read, google-vision, baidu, openai
    (vision models with OpenAI's API), generic (others; see its options), or presets that other packages add, by
    name."""
    url: ServiceAddress
    """Address of the service, http or https. It is in logs and the status without its path and query, but a query is
    not secret: put a key into key_file."""
    key_file: OptionalFile = None
    """File with the key of the service; empty for none. A new key is used as soon as it is in the file. The key is in
    no log, status or sidecar."""
    key_variable: OptionalName = None
    """Environment variable with the key instead; empty for none. A file is safer: other programs of the same user can
    see variables."""
    rate: float = Field(default=10.0, gt=0, le=10_000, allow_inf_nan=False)
    """Maximum number of requests per second, more than 0 and up to 10000: what the service allows. They are spaced
    evenly."""
    concurrency: int = Field(default=8, ge=1, le=1000)
    """Maximum number of requests that wait for an answer, 1 to 1000. For the full rate it must be the rate times the
    seconds of an answer, and some more."""
    timeout: Annotated[Duration, between(0.1, 3600.0, format_duration)] = 30.0
    """Maximum time for an answer, 100ms to 1h. Then the service counts as not available, and pauses."""
    prepare: Preparation = "none"
    """What is done to a scan before it is sent: none sends it as it is, or as an upright image if the service does not
    know its kind; straighten turns it upright and straightens it; clean also cleans it as for Tesseract."""
    max_bytes: Annotated[Size, between(10_000, 10**9, format_size, or_zero=True)] = 0
    """Size of the largest image that the service takes, 10KB to 1GB; a larger one is made smaller. 0 takes what is
    known of this kind of service."""
    options: PresetOptions = Field(default={})
    """Options of the preset, such as { model = "gpt-4o" }."""

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.key_file is not None and self.key_variable is not None:
            raise ValueError(f"name the key of the service {self.name} in key_file or in key_variable, not in both")
        return self

    @property
    def engine(self) -> str:
        """The name of the engine that reads with this service."""
        return f"{REMOTE}{self.name}"

    @property
    def host(self) -> str:
        """Scheme, host and port of the address. Its path and query may be confidential."""
        return shown_address(self.url)

    @property
    def service(self) -> RemoteService:
        """What affects the text of a scan."""
        return RemoteService(
            self.name, self.preset, self.url, self.prepare, self.max_bytes, tuple(sorted(self.options.items()))
        )


def check_services(services: Sequence[Remote], ocr: Ocr, profiles: Iterable[tuple[Ocr, Ocr]]) -> None:
    """Check the names of services, and that the services that engines name exist.

    ``profiles`` are the options of each profile's ``ocr`` section, and those that result from them and ``ocr``. Raises
    ``PydanticCustomError``; its context says which option is wrong (:mod:`ocrwatch.settings.errors`).
    """
    names = [service.name for service in services]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise wrong_option(("remote", number, "name"), name, f"rename one of the services {name}")
    _check_engines(names, ("ocr",), ocr, ocr.model_fields_set)
    for number, (own, effective) in enumerate(profiles):
        _check_engines(names, ("profiles", number, "ocr"), effective, own.model_fields_set)


def missing_services(services: Collection[str], ocr: Ocr) -> Iterator[str]:
    """Yield the services that engines name, and that are not among ``services``."""
    for engine in (*ocr.engine, ocr.second):
        if engine.startswith(REMOTE) and engine.removeprefix(REMOTE) not in services:
            yield engine.removeprefix(REMOTE)


def _check_engines(names: Sequence[str], at: tuple[str | int, ...], ocr: Ocr, own: Collection[str]) -> None:
    """Check the engines of one section; ``own`` are the options that are set in it."""
    for missing in missing_services(names, ocr):
        engine = f"{REMOTE}{missing}"
        option = "second" if engine == ocr.second else "engine"
        known = f"write one of: {', '.join(f'{REMOTE}{name}' for name in names)}; or " if names else ""
        raise wrong_option((*at, option), engine, f'{known}add a [[remote]] with name = "{missing}"')
    if not ocr.second.startswith(REMOTE):
        return
    option = "second" if "second" in own else "engine"
    if ocr.second in ocr.engine:
        # It would get no page that it has not read or refused.
        raise wrong_option(
            (*at, option), ocr.second, "name the service in engine, for all pages, or in second, not in both"
        )
    if all(engine.startswith(REMOTE) for engine in ocr.engine):
        remedy = 'add a local engine, such as "tesserocr", to engine, or set second = "none"'
        raise wrong_option((*at, option), ocr.second, f"it rereads what a local engine is unsure of: {remedy}")
