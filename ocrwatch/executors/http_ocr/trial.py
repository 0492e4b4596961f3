"""Tries whether a service reads: it is sent a small picture with a few words."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from importlib import resources
from typing import Final

from ocrwatch.errors import OcrwatchError, ServiceFault
from ocrwatch.recipe import REMOTE, Recipe
from ocrwatch.render.base import RenderRequest
from ocrwatch.settings.remote import Remote

TRIAL_REQUEST: Final = RenderRequest(("txt",), b"trial.png", 0, "")
"""What is to be made of the trial picture's page."""

TRIAL_TEXT: Final = "Test page 2468"
"""What the picture says."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a service has read on the trial picture."""

    text: str
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether it is what the picture says."""
        return self.text.split() == TRIAL_TEXT.split()


def trial_picture() -> bytes:
    """Return the picture, a PNG."""
    return resources.files(__package__).joinpath("trial.png").read_bytes()


async def try_service(remote: Remote, recipe: Recipe | None = None) -> Trial:
    """Have a service read the picture; everything is done in this process.

    Raises :class:`OcrwatchError` if it does not read.
    """
    # Heavy, and for doctor only.
    from ocrwatch.executors.http_ocr.service import Ambiguous, Service  # noqa: PLC0415
    from ocrwatch.executors.http_ocr.worker_steps import prepare_scan, trial_text  # noqa: PLC0415

    wanted = replace(recipe or Recipe(), engine=f"{REMOTE}{remote.name}", remote=remote.service)
    service = Service(remote)
    loop = asyncio.get_running_loop()
    try:
        begun = loop.time()
        prepared = prepare_scan(trial_picture(), wanted)
        answer = await service.ask(prepared.request)
        return Trial(trial_text(answer, prepared.sent, wanted), loop.time() - begun)
    except Ambiguous as failure:
        raise ServiceFault(failure.of_service.message, failure.of_service.remedy) from None
    except OcrwatchError as error:
        service.without_key(error)
        raise
    finally:
        await service.close()
