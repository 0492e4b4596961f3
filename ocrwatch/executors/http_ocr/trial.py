"""Tries for ``doctor`` whether a service reads: it is sent the trial picture, and all is done in this process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from ocrwatch.backoff import Backoff
from ocrwatch.errors import OcrwatchError, ServiceFault
from ocrwatch.executors.http_ocr.service import Ambiguous, Service
from ocrwatch.executors.http_ocr.trial_picture import TRIAL_TEXT, trial_picture
from ocrwatch.executors.http_ocr.worker_steps import prepare_scan, trial_text
from ocrwatch.recipe import REMOTE, Recipe
from ocrwatch.settings.remote import Remote


@dataclass(frozen=True, slots=True)
class Trial:
    """What a service has read on the trial picture."""

    text: str
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether it is what the picture says."""
        return self.text.split() == TRIAL_TEXT.split()


async def try_service(remote: Remote, recipe: Recipe | None = None) -> Trial:
    """Have a service read the picture; everything is done in this process.

    Raises :class:`OcrwatchError` if it does not read.
    """
    wanted = replace(recipe or Recipe(), engine=f"{REMOTE}{remote.name}", remote=remote.service)
    service = Service(remote, Backoff())
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
