"""The executor of remote services: whose fault a failure is, and what is said of it."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

import pytest

from ocrwatch.backoff import Backoff
from ocrwatch.errors import EngineFailed, OcrwatchError, Rejected, ServiceFault, Stopping
from ocrwatch.executors.base import Reading
from ocrwatch.executors.http_ocr import client
from ocrwatch.executors.http_ocr.executor import HttpOcrExecutor, PageWorkers
from ocrwatch.executors.http_ocr.worker_steps import assembled, prepare_scan
from ocrwatch.executors.ipc import AssembleJob, Job, Prepared, PrepareJob
from ocrwatch.recipe import REMOTE, Recipe
from ocrwatch.render.base import RenderedPage, RenderRequest
from ocrwatch.settings.remote import Remote
from tests.eventually import eventually, run, settled
from tests.ocr_services import Mode, OcrService, serving, text_of
from tests.pages import sidecars_of
from tests.rendering import render, with_comment

_REQUEST: Final = RenderRequest(("txt",), b"a.jpg", 1, "")
_LIMIT: Final = 30.0


def scan(number: int) -> bytes:
    """Return a small scan with bytes of its own."""
    return with_comment(render("small", size=20), f"number {number}")


def sha256_of(content: bytes) -> str:
    """Return what a service knows a scan by."""
    return hashlib.sha256(content).hexdigest()


class _Workers:
    """Prepares and assembles in this process."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        """Of all that were prepared."""

    async def prepare(self, job: PrepareJob) -> Prepared:
        """Make a request of a scan."""
        self.rows.append(job.scan)
        made = prepare_scan(job.content, job.recipe)
        return Prepared(job.scan, made.request, made.sent)

    async def assemble(self, job: AssembleJob) -> RenderedPage:
        """Make a page of an answer."""
        return assembled(job.content, job.recipe, job.sent, job.answer, job.first, job.failure, job.request)

    def withdraw(self) -> int:
        """Withdraw nothing."""
        return 0


class Subject:
    """An executor with services."""

    def __init__(self, *remotes: Remote) -> None:
        self.backoff = Backoff()
        self.workers = _Workers()
        self.executor = HttpOcrExecutor(cast("PageWorkers", self.workers), remotes, self.backoff)
        self._recipes = [
            replace(Recipe(), engine=f"{REMOTE}{each.name}", second="none", remote=each.service) for each in remotes
        ]

    async def read(self, number: int, at: int = 0) -> Reading:
        """Have a scan read by a service."""
        return await self.executor.read(Job(number, scan(number), self._recipes[at], _REQUEST))

    async def fails(self, number: int, at: int = 0) -> OcrwatchError:
        """Return the error of a scan that a service does not read."""
        with pytest.raises(OcrwatchError) as caught:
            await self.read(number, at)
        return caught.value


def remote(service: OcrService, name: str = "cloud", **options: object) -> Remote:
    """Return the settings of a service."""
    values = {"name": name, "preset": service.preset, "url": service.url, "rate": 1000, "timeout": 5, **options}
    return Remote.model_validate(values)


@asynccontextmanager
async def subject(*remotes: Remote) -> AsyncIterator[Subject]:
    """Run an executor."""
    found = Subject(*remotes)
    running = asyncio.ensure_future(found.executor.run())
    await settled()
    try:
        yield found
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_scan_is_read() -> None:
    """Its text is that of the service."""

    async def main(service: OcrService) -> None:
        async with subject(remote(service)) as it:
            page = (await it.read(1)).page
            assert sidecars_of(page)["txt"].decode().split() == text_of(sha256_of(scan(1))).split()
            assert page.summary.engine.name == "remote:cloud"

    with serving() as service:
        run(main(service), _LIMIT)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Rejected), (413, Rejected), (415, Rejected), (422, Rejected), (500, EngineFailed)]
)
def test_refused_image_is_to_blame_if_the_trial_picture_is_read(status: int, kind: type[OcrwatchError]) -> None:
    """Also if no other scan is there; if the trial picture is refused too, the service is to blame."""

    async def main(service: OcrService) -> None:
        async with subject(remote(service)) as it:
            service.for_image[sha256_of(scan(1))] = Mode(status=status)
            fault = await it.fails(1)
            assert type(fault) is kind
            assert service.images[0] == service.images[2] != service.images[1]
            service.mode = Mode(status=status)
            fault = await it.fails(2)
            assert isinstance(fault, ServiceFault)
            assert fault.service == "cloud"

    with serving() as service:
        run(main(service), _LIMIT)


@pytest.mark.parametrize("mode", [Mode("hang"), Mode("reset"), Mode("cut"), Mode(status=502)])
def test_image_that_ends_the_service_is_to_blame_if_it_does_so_again(mode: Mode) -> None:
    """At first it may be the service."""

    async def main(service: OcrService) -> None:
        async with subject(remote(service, timeout=0.5)) as it:
            service.for_image[sha256_of(scan(1))] = mode
            assert isinstance(await it.fails(1), ServiceFault)
            assert isinstance(await it.fails(1), EngineFailed)
            service.for_image[sha256_of(scan(2))] = mode
            assert isinstance(await it.fails(2), ServiceFault)
            service.mode = mode
            assert isinstance(await it.fails(2), ServiceFault)

    with serving() as service:
        run(main(service), _LIMIT)


def test_image_whose_answer_is_too_long_is_to_blame_if_it_is_so_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would be sent for ever."""
    monkeypatch.setattr(client, "MOST_RECEIVED", 10_000)

    async def main(service: OcrService) -> None:
        service.text = lambda sha256: "long " * (9000 if sha256 == sha256_of(scan(1)) else 1)
        async with subject(remote(service)) as it:
            assert isinstance(await it.fails(1), ServiceFault)
            fault = await it.fails(1)
            assert isinstance(fault, EngineFailed)
            assert "too long" in fault.message

    with serving() as service:
        run(main(service), _LIMIT)


@pytest.mark.parametrize("status", [401, 402, 403, 404, 429, 503])
def test_service_that_refuses_all_is_to_blame(status: int) -> None:
    """Whatever it has read before, and nothing more is sent to find out."""

    async def main(service: OcrService) -> None:
        async with subject(remote(service)) as it:
            await it.read(1)
            service.mode = Mode(status=status, retry_after="7")
            fault = await it.fails(2)
            assert isinstance(fault, ServiceFault)
            assert fault.wait == 7.0
            assert fault.remedy
            assert len(service.requests) == 2

    with serving() as service:
        run(main(service), _LIMIT)


def test_service_is_to_blame_for_several_failures_in_a_row() -> None:
    """Even if it reads the trial picture: it may lack memory for all pages of a usual size. Then single scans again."""

    async def main(service: OcrService) -> None:
        async with subject(remote(service)) as it:
            for number in range(1, 7):
                service.for_image[sha256_of(scan(number))] = Mode(status=500)
            faults = [type(await it.fails(number)) for number in (1, 2, 3, 1, 4)]
            assert faults == [EngineFailed, EngineFailed, ServiceFault, EngineFailed, ServiceFault]
            await it.read(10)
            faults = [type(await it.fails(number)) for number in (4, 5, 6)]
            assert faults == [EngineFailed, EngineFailed, ServiceFault]
            # What it says of an image holds for that image.
            service.for_image[sha256_of(scan(7))] = Mode(status=415)
            assert type(await it.fails(7)) is Rejected

    with serving() as service:
        run(main(service), _LIMIT)


def test_no_request_follows_a_refusal() -> None:
    """Scans that wait for their turn at the service are told of the pause, and are not sent."""

    async def main(service: OcrService) -> None:
        async with subject(remote(service, rate=0.5, concurrency=4)) as it:
            service.mode = Mode(status=429, retry_after="7")
            reads = [asyncio.ensure_future(it.read(number)) for number in range(4)]
            done, _ = await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
            fault = done.pop().exception()
            assert isinstance(fault, ServiceFault)
            it.backoff.record(f"{REMOTE}cloud", fault, time.monotonic(), at_least=fault.wait)
            results = await asyncio.gather(*reads, return_exceptions=True)
            assert [type(each) for each in results] == [ServiceFault] * 4
            assert len(service.requests) == 1

    with serving() as service:
        run(main(service), _LIMIT)


def test_late_judgement_of_an_image_ends_no_pause() -> None:
    """If the service has asked to wait meanwhile, the time that it asks for holds, also if the trial picture met it."""

    async def main(service: OcrService) -> None:
        async with subject(remote(service)) as it:
            service.for_image[sha256_of(scan(1))] = Mode(status=400, latency=0.5)
            failing = asyncio.ensure_future(it.fails(1))
            # The image, the trial picture, and the image again.
            await eventually(lambda: len(service.requests) == 3)
            fault = ServiceFault("it is too much", "wait")
            it.backoff.record(f"{REMOTE}cloud", fault, time.monotonic(), at_least=60.0)
            assert isinstance(await failing, Rejected)
            assert f"{REMOTE}cloud" in it.backoff
            it.backoff.resolve(f"{REMOTE}cloud")
            service.mode = Mode(status=429, retry_after="9")
            refused = await it.fails(1)
            assert isinstance(refused, ServiceFault)
            assert refused.wait == 9.0

    with serving() as service:
        run(main(service), _LIMIT)


def test_image_is_not_to_blame_for_a_service_that_recovers() -> None:
    """It is sent again after the trial picture was read."""

    async def main(service: OcrService) -> None:
        async with subject(remote(service)) as it:
            service.next.append(Mode(status=400))
            assert (await it.read(1)).page.summary.words

    with serving() as service:
        run(main(service), _LIMIT)


def test_refusal_with_status_200_is_judged_alike() -> None:
    """The image is to blame only if the trial picture is read."""

    async def main(service: OcrService) -> None:
        async with subject(remote(service)) as it:
            service.for_image[sha256_of(scan(1))] = Mode("rejection")
            assert isinstance(await it.fails(1), Rejected)
            service.mode = Mode("rejection")
            assert isinstance(await it.fails(2), ServiceFault)
            service.mode = Mode("refusal")
            assert isinstance(await it.fails(3), ServiceFault)

    with serving("ocr.space") as service:
        run(main(service), _LIMIT)


def test_trial_picture_is_no_page_of_a_file() -> None:
    """What is told of it would count as an attempt to read the page; both have numbers below 0."""

    async def main(service: OcrService) -> None:
        async with subject(remote(service)) as it:
            service.for_image[sha256_of(scan(-1))] = Mode(status=400)
            assert type(await it.fails(-1)) is Rejected
            assert it.workers.rows[0] == -1
            assert it.workers.rows.count(-1) == 1
            assert min(it.workers.rows) < -1_000_000

    with serving() as service:
        run(main(service), _LIMIT)


def test_trials_of_two_services_do_not_meet() -> None:
    """Each gets its own picture and its own answer, at the same time."""

    async def main(first: OcrService, second: OcrService) -> None:
        async with subject(remote(first, "one"), remote(second, "two")) as it:
            first.for_image[sha256_of(scan(1))] = second.for_image[sha256_of(scan(2))] = Mode(status=400)
            faults = await asyncio.gather(it.fails(1, 0), it.fails(2, 1))
            assert [type(fault) for fault in faults] == [Rejected, Rejected]

    with serving() as first, serving("ocr.space", latency=0.1) as second:
        run(main(first, second), _LIMIT)


def test_failures_at_the_same_time_share_a_trial() -> None:
    """A service that breaks is not sent one picture for each scan."""

    async def main(service: OcrService) -> None:
        async with subject(remote(service)) as it:
            service.mode, service.latency = Mode(status=500), 0.2
            faults = await asyncio.gather(*(it.fails(number) for number in range(6)))
            assert all(isinstance(fault, ServiceFault) for fault in faults)
            assert len(service.requests) <= 6 + 2

    with serving() as service:
        run(main(service), _LIMIT)


def test_scan_that_waits_is_withdrawn_at_a_stop() -> None:
    """It counts as not begun; what was sent is waited for."""

    async def main(service: OcrService) -> None:
        async with subject(remote(service, concurrency=1)) as it:
            reads = [asyncio.ensure_future(it.read(number)) for number in range(3)]
            await eventually(lambda: service.in_flight)
            it.executor.withdraw()
            results = await asyncio.gather(*reads, return_exceptions=True)
            assert [type(each) for each in results] == [Reading, Stopping, Stopping]

    with serving(latency=0.5) as service:
        run(main(service), _LIMIT)


@pytest.mark.parametrize("padding", [0, 150, 165])
def test_key_is_in_no_message(tmp_path: Path, padding: int) -> None:
    """Some services repeat it; it is removed even if the message is cut off within it."""
    key = "sk-" + "K3y9" * 12
    (tmp_path / "key").write_text(f"{key}\n")

    async def main(service: OcrService) -> None:
        async with subject(remote(service, key_file=tmp_path / "key")) as it:
            service.mode = Mode(status=401)
            fault = await it.fails(1)
            assert key not in str(fault)
            assert service.requests[-1].headers["authorization"].endswith(key)
            cleaned = OcrwatchError(f"{'x' * padding} wrong key {key}"[:199] + "…")
            it.executor._services["cloud"].without_key(cleaned)
            assert "K3y9" not in cleaned.message

    with serving() as service:
        run(main(service), _LIMIT)
