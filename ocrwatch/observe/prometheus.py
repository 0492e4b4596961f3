"""Exports the status as Prometheus metrics. Imported only if configured."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from ocrwatch.backoff import Cause
from ocrwatch.observe.status import Distribution, ServiceStatus, Status
from ocrwatch.recipe import REMOTE
from ocrwatch.scan import CLOSED

RESULTS: Final = CLOSED
"""How scans end; each has its value from the start, so that a rate over it sees the first one."""

CAUSES: Final = tuple(Cause)
"""Causes of pauses."""

OUTCOMES: Final = ("answered", "refused", "failed")
"""How requests to remote services end."""

_COUNTERS: Final = (
    ("worker_deaths", "Worker processes that ended unasked.", "worker_deaths"),
    ("retries", "Attempts to read a scan that failed and are made again.", "retries"),
    ("cache_hits", "Scans delivered whose text was known before.", "cached"),
    ("cache_dropped", "Texts not sent to Redis, because it was away, full or too slow.", "cache_dropped"),
    ("review", "Pages marked for review when they were delivered.", "to_review"),
    ("documents_delivered", "Documents of several pages that were delivered.", "documents_delivered"),
)
"""Name, description and field of the status."""

_GAUGES: Final = (
    ("not_read_files", "Files and folders in the inbox that are not read.", "not_read"),
    (
        "review_waiting",
        "Pages and documents that wait for review: marked, also by earlier runs, and not yet reviewed.",
        "review_waiting",
    ),
    ("workers_ready", "Workers that have loaded their engine.", "workers_ready"),
    (
        "documents_open",
        "Documents of several pages that are being gathered or written.",
        "documents_open",
    ),
)


class StatusCollector(Collector):
    """Renders the newest status on request."""

    def __init__(self, newest: Callable[[], Status | None]) -> None:
        self._newest = newest

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; none before there is a status."""
        status = self._newest()
        if status is None:
            return
        build = GaugeMetricFamily("ocrwatch_build_info", "1, with what runs.", labels=["version", "engine"])
        build.add_metric([status.version, status.engine], 1)
        yield build
        scans = CounterMetricFamily("ocrwatch_scans", "Scans by how they ended.", labels=["result"])
        for result in RESULTS:
            scans.add_metric([result], status.ends.get(result, 0))
        yield scans
        paused = GaugeMetricFamily(
            "ocrwatch_paused",
            "1 for what the environment lacks, so that nothing is read; remote:NAME concerns only scans for a service.",
            labels=["cause"],
        )
        services = {f"{REMOTE}{service.name}": service for service in status.services}
        active = {pause.cause for pause in status.paused}
        active |= {cause for cause, service in services.items() if service.paused_since is not None}
        for cause in sorted({*CAUSES, *services, *active}):
            paused.add_metric([cause], int(cause in active))
        yield paused
        found = CounterMetricFamily(
            "ocrwatch_cache_level_hits", "Texts found in the cache, by its level.", labels=["level"]
        )
        for level, hits in status.cache_level_hits.items():
            found.add_metric([level], hits)
        yield found
        for name, description, field in _COUNTERS:
            yield CounterMetricFamily(f"ocrwatch_{name}", description, value=getattr(status, field))
        for name, description, field in _GAUGES:
            yield GaugeMetricFamily(f"ocrwatch_{name}", description, value=getattr(status, field))
        yield GaugeMetricFamily(
            "ocrwatch_queue_scans",
            "Scans that settle, wait or are to be delivered; of a full inbox only the first few thousand are counted.",
            value=status.waiting + len(status.in_work) - len({one.path for one in status.being_read}),
        )
        yield GaugeMetricFamily(
            "ocrwatch_in_work_scans", "Scans that workers have in hand.", value=len(status.being_read)
        )
        yield GaugeMetricFamily(
            "ocrwatch_oldest_waiting_seconds",
            "How long ago the scan came that is on its way longest, incomplete ones among them; 0 without any.",
            value=_age(status.oldest_waiting_since),
        )
        yield from _histogram(
            "queue_seconds", "From being complete to being read, of what was delivered.", status.queue_seconds
        )
        yield from _histogram("reading_seconds", "Reading one scan, of what was delivered.", status.reading_seconds)
        if status.services:
            yield from _services(status.services)


class Exposition:
    """Renders the metrics of this process in the format that the client requests."""

    def __init__(self, newest: Callable[[], Status | None]) -> None:
        # A separate registry: metrics that other libraries put into the common one are not published.
        self._registry = CollectorRegistry()
        self._registry.register(StatusCollector(newest))
        ProcessCollector(registry=self._registry)

    def render(self, accept: str) -> tuple[str, bytes]:
        """Return content type and body for a request's ``Accept`` header."""
        encode, content_type = choose_encoder(accept)
        return content_type, encode(self._registry)


def _services(services: Iterable[ServiceStatus]) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "ocrwatch_remote_requests", "Requests to remote services by their end.", labels=["service", "outcome"]
    )
    seconds = HistogramMetricFamily(
        "ocrwatch_remote_seconds", "From a request to a remote service to its answer.", labels=["service"]
    )
    in_flight = GaugeMetricFamily(
        "ocrwatch_remote_in_flight", "Requests to remote services that wait for their answer.", labels=["service"]
    )
    for service in services:
        for outcome in OUTCOMES:
            requests.add_metric([service.name, outcome], getattr(service, outcome))
        if service.seconds is not None:
            seconds.add_metric([service.name], _buckets(service.seconds), service.seconds.total)
        in_flight.add_metric([service.name], service.in_flight)
    yield from (requests, seconds, in_flight)


def _histogram(name: str, description: str, durations: Distribution | None) -> Iterator[Metric]:
    if durations is not None:
        buckets = _buckets(durations)
        yield HistogramMetricFamily(f"ocrwatch_{name}", description, buckets=buckets, sum_value=durations.total)


def _buckets(durations: Distribution) -> list[tuple[str, int]]:
    bounds = [*map(floatToGoString, durations.bounds), "+Inf"]
    return list(zip(bounds, itertools.accumulate(durations.counts), strict=True))


def _age(since: str | None) -> float:
    return 0.0 if since is None else max(0.0, time.time() - datetime.fromisoformat(since).timestamp())
