"""What is counted of remote services, and when a pause of one stops everything."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ocrwatch.backoff import Backoff, Cause, Pause
from ocrwatch.errors import ServiceFault
from ocrwatch.events import RemoteAnswered, RemoteRefused
from ocrwatch.observe.activity import Activity
from ocrwatch.observe.service_status import ServiceCounters, stops_all
from ocrwatch.observe.status import Reviews, Status, isoformat
from ocrwatch.observe.status_documents import OpenDocuments
from ocrwatch.observe.status_report import Report
from ocrwatch.settings import Settings

SERVICES = [
    {"name": "cloud", "preset": "generic", "url": "https://cloud.example.org/v1?key=1"},
    {"name": "gpu", "preset": "generic", "url": "http://127.0.0.1:9003"},
]
CLOUD, GPU = "remote:cloud", "remote:gpu"


def settings(engine: object = "auto", *of_profiles: object) -> Settings:
    """Return settings with two services; ``of_profiles`` are the engines of profiles."""
    profiles = [{"match": f"{number}/**", "ocr": {"engine": each}} for number, each in enumerate(of_profiles)]
    return Settings.model_validate({"remote": SERVICES, "ocr": {"engine": engine}, "profiles": profiles})


def pause() -> Pause:
    """Return a pause that began a minute ago, with its next try in ten seconds."""
    now = time.monotonic()
    return Pause(ServiceFault("it answered 503", "see it"), time.time() - 60, now - 60, 1.0, now + 10)


def test_each_service_is_there_from_the_start() -> None:
    """With its host alone: path and parameters of the address may be confidential."""
    cloud, gpu = ServiceCounters(settings().remote).snapshot({}, {})
    assert (cloud.name, cloud.host, cloud.requests, cloud.median_s) == ("cloud", "https://cloud.example.org", 0, None)
    assert (gpu.host, gpu.paused_since, gpu.next_try) == ("http://127.0.0.1:9003", None, None)


def test_requests_are_counted_by_their_end() -> None:
    """Answers with their time, refusals, and requests without an answer; each of its own service."""
    counters = ServiceCounters(settings().remote)
    for seconds in (0.2, 0.4, 9.0):
        counters.answered("cloud", seconds)
    counters.refused("cloud", 429)
    counters.refused("cloud", None)
    counters.refused("gpu", None)
    cloud, gpu = counters.snapshot({}, {"cloud": 7})
    assert (cloud.answered, cloud.refused, cloud.failed, cloud.requests) == (3, 1, 1, 5)
    assert (cloud.in_flight, cloud.median_s) == (7, 0.4)
    assert cloud.seconds is not None
    assert (sum(cloud.seconds.counts), cloud.seconds.total) == (3, 9.6)
    assert (gpu.requests, gpu.failed, gpu.in_flight) == (1, 1, 0)


def test_the_median_follows_the_latest_answers() -> None:
    """A service that has become slow shows after a hundred answers at most."""
    counters = ServiceCounters(settings().remote)
    for seconds in [0.1] * 1000 + [2.0] * 100:
        counters.answered("cloud", seconds)
    assert counters.snapshot({}, {})[0].median_s == 2.0


def test_a_paused_service_has_its_reason_and_next_try() -> None:
    """Times as in the rest of the status."""
    _, gpu = ServiceCounters(settings().remote).snapshot({GPU: pause(), str(Cause.DELIVERY): pause()}, {})
    assert (gpu.reason, gpu.remedy) == ("it answered 503", "see it")
    assert gpu.paused_since is not None
    assert gpu.next_try is not None
    assert gpu.paused_since < isoformat(time.time()) < gpu.next_try


@pytest.mark.parametrize(
    ("engines", "causes", "stops"),
    [
        (["auto"], [], False),
        (["auto"], [CLOUD], False),
        ([CLOUD], [CLOUD], True),
        ([CLOUD], [GPU], False),
        ([[CLOUD, "auto"]], [CLOUD], False),
        ([[CLOUD, GPU]], [CLOUD], False),
        ([[CLOUD, GPU]], [CLOUD, GPU], True),
        ([CLOUD, "auto"], [CLOUD], False),
        ([CLOUD, GPU], [CLOUD], False),
        ([CLOUD, GPU], [CLOUD, GPU], True),
        (["auto"], [Cause.DELIVERY], True),
        (["auto"], [CLOUD, Cause.MEMORY], True),
    ],
)
def test_a_paused_service_stops_only_what_needs_it(engines: list[Any], causes: list[str], *, stops: bool) -> None:
    """Everything stands still if every engine of every profile is a service in a pause; or for any other cause."""
    assert stops_all(settings(*engines), causes) is stops


def told(report: Report, backoff: Backoff, state: str) -> Status:
    """Return the status."""
    found = report.status(
        time.monotonic(),
        state=state,
        watch="inotify",
        waiting=0,
        more=False,
        oldest=None,
        in_work=[],
        backoff=backoff,
        reviews=Reviews(),
        documents=OpenDocuments(),
        activity=lambda: Activity(in_flight={"cloud": 2}),
        at_once=True,
    )
    assert found is not None
    return found


def test_the_status_has_services_apart_from_pauses() -> None:
    """A pause of a service is not one of the daemon while other scans are read."""
    report, backoff = Report(settings([CLOUD, "auto"]), 1), Backoff()
    report.remote_answered(RemoteAnswered(service="cloud", status=200, ms=250, bytes=10))
    report.remote_refused(RemoteRefused(service="cloud", reason="busy", remedy="wait", ms=5, status=429))
    report.remote_refused(RemoteRefused(service="gpu", reason="no answer", remedy="wait", ms=5))
    backoff.record(CLOUD, ServiceFault("it answered 429", "wait"), time.monotonic())
    found = told(report, backoff, "working")
    cloud, gpu = found.services
    assert (cloud.answered, cloud.refused, cloud.in_flight, cloud.median_s) == (1, 1, 2, 0.25)
    assert (gpu.failed, gpu.paused_since) == (1, None)
    assert (found.paused, cloud.reason) == ([], "it answered 429")
    backoff.record(Cause.DELIVERY, ServiceFault("full", "free some space"), time.monotonic())
    assert [each.cause for each in told(report, backoff, "paused").paused] == [CLOUD, "delivery"]
