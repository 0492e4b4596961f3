"""What reading and delivering come to, as a test of the core says."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ocrwatch.cache.key import PageCache
from ocrwatch.delivery.step_order import Delivered, Deliverer, Work
from ocrwatch.document import Page
from ocrwatch.executors.ipc import Job
from ocrwatch.recipe import Recipe
from ocrwatch.render.base import RenderedPage
from tests.core import Core
from tests.fake_executor import page_of

FULL = "the disk is full"
FIRST_DELAY = 0.05
"""Seconds of the first pause, in these tests."""

Answer = BaseException | str | None


class Script:
    """What reading each scan comes to, by its bytes: errors, texts, or None for its own text; held as the test says."""

    def __init__(self, answers: dict[str, list[Answer]] | None = None) -> None:
        self.answers = answers or {}
        self.begun: list[str] = []
        self.recipes: list[Recipe] = []
        self._gates: dict[str, asyncio.Event] = {}

    def hold(self, *names: str) -> None:
        """Have these be read until :meth:`release`."""
        for name in names:
            self._gates[name] = asyncio.Event()

    def release(self, *names: str) -> None:
        """Have these be read."""
        for name in names:
            self._gates.pop(name).set()

    async def __call__(self, job: Job) -> Page:
        """Read a scan."""
        name = job.content.decode()
        self.begun.append(name)
        self.recipes.append(job.recipe)
        if (gate := self._gates.get(name)) is not None:
            await gate.wait()
        answers = self.answers.get(name)
        answer = answers.pop(0) if answers else None
        if isinstance(answer, BaseException):
            raise answer
        return page_of(answer or f"text of {name}")


class Remembered(PageCache):
    """Packed pages by the hash of their bytes and their recipe."""

    def __init__(self) -> None:
        super().__init__(None, [])
        self.known: dict[tuple[str, Recipe], bytes] = {}

    def __bool__(self) -> bool:
        return True

    def pages(self, scans: Sequence[tuple[str, Recipe]]) -> list[bytes | None]:
        """Return the pages."""
        return [self.known.get(scan) for scan in scans]

    def recent(self, sha256: str, recipe: Recipe) -> bytes | None:
        """Return the page."""
        return self.known.get((sha256, recipe))

    def remember(self, sha256: str, recipe: Recipe, rendered: RenderedPage) -> Callable[[], None]:
        """Keep it."""
        self.known[sha256, recipe] = rendered.packed
        return lambda: None


class Refusals:
    """What deliveries of certain paths raise, as long as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.of: dict[str, Exception] = {}
        """An error for each path that is refused; ``*`` stands for all."""
        self.tried: list[str] = []
        deliver, resume = Deliverer.deliver, Deliverer.resume

        def refuse(path: str) -> None:
            self.tried.append(path)
            error = self.of.get(path) or self.of.get("*")
            if error is not None:
                # Each time another, as a system call's.
                raise copy.copy(error)

        def delivered(deliverer: Deliverer, work: Work) -> Delivered:
            refuse(work.path)
            return deliver(deliverer, work)

        def resumed(deliverer: Deliverer, scan: int, plan: str, *why: str | None) -> Delivered:
            refuse(json.loads(plan)["path"])
            return resume(deliverer, scan, plan, *why)

        def together(deliverer: Deliverer, works: list[Work]) -> list[Delivered | None]:
            return [None] * len(works)

        monkeypatch.setattr(Deliverer, "deliver", delivered)
        monkeypatch.setattr(Deliverer, "resume", resumed)
        monkeypatch.setattr(Deliverer, "deliver_together", together)


def delivered(*names: str) -> dict[str, str]:
    """Return the files that there are when these scans, and nothing else, were delivered."""
    return {
        **{f"archive/{name}.jpg": f"{name}.jpg" for name in names},
        **{f"outbox/{name}.txt": f"text of {name}.jpg\n" for name in names},
    }


def reason(core: Core, path: str = "a.jpg") -> dict[str, Any]:
    """Return what lies beside a quarantined scan."""
    found: dict[str, Any] = json.loads((core.folders.quarantine / f"{path}.reason.json").read_text())
    return found


def quarantined(core: Core, *paths: str) -> bool:
    """Tell whether these scans, and nothing else, are in the quarantine and nowhere else."""
    return set(core.folders.files()) == {
        name for path in paths for name in (f"quarantine/{path}", f"quarantine/{path}.reason.json")
    }


def refuse(error: BaseException) -> Callable[..., Any]:
    """Return what raises."""

    def refused(*_: object, **__: object) -> None:
        raise error

    return refused
