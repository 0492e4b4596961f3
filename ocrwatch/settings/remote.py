"""Options of remote OCR services."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ocrwatch.recipe import Preparation, RemoteService
from ocrwatch.settings.section_base import Section
from ocrwatch.settings.types import Duration, OptionalFile, OptionalName, Size, WebAddress, between, format_duration


class Remote(Section):
    """A remote OCR service, which reads scans over HTTP. Scans leave this machine."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,29}$")]
    """Name of the service: an engine of this name, such as "remote:cloud", reads with it."""
    preset: str = Field(min_length=1)
    """Kind of service: rapidocr, paddlex, doctr, tesseract-server, ocr.space, azure-read, google-vision, baidu, openai
    (vision models with OpenAI's API), generic (others; see its options), or presets that other packages add, by
    name."""
    url: WebAddress = Field(min_length=1)
    """Address of the service, http or https."""
    key_file: OptionalFile = None
    """File with the key of the service; empty for none. It is in no log, status or sidecar."""
    key_variable: OptionalName = None
    """Environment variable with the key instead; empty for none."""
    rate: float = Field(default=10.0, gt=0, le=10_000)
    """Maximum number of requests per second, more than 0 and up to 10000: what the service allows. They are spaced
    evenly."""
    concurrency: int = Field(default=8, ge=1, le=1000)
    """Maximum number of requests that wait for an answer, 1 to 1000. For the full rate it must be the rate times the
    seconds of an answer, and some more."""
    timeout: Annotated[Duration, between(0.1, 3600.0, format_duration)] = 30.0
    """Maximum time for an answer, 100ms to 1h. Then the service counts as not available, and pauses."""
    prepare: Preparation = "none"
    """What is done to a scan before it is sent. none: it is sent as it is, or as an upright image if the service does
    not know its kind. straighten: it is turned upright and straightened. clean: it is also cleaned as for Tesseract."""
    max_bytes: Annotated[Size, between(10_000, 10**9, or_zero=True)] = 0
    """Size of the largest image that the service takes, 10KB to 1GB; a larger one is made smaller. 0 takes what is
    known of this kind of service."""
    options: dict[str, str] = Field(default={})
    """Options of the preset, such as { model = "gpt-4o" }."""

    @property
    def service(self) -> RemoteService:
        """What affects the text of a scan."""
        return RemoteService(
            self.name, self.preset, self.url, self.prepare, self.max_bytes, tuple(sorted(self.options.items()))
        )
