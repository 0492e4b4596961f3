"""Metrics, read as Prometheus reads them."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import replace

import pytest
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from ocrwatch.observe.prometheus import CAUSES, RESULTS, Exposition
from ocrwatch.observe.status import (
    BeingRead,
    Distribution,
    PauseStatus,
    ServiceStatus,
    Status,
    isoformat,
)
from tests.unit.observe.statuses import status

BUSY = status(
    version='1.0 "x"\n',
    state="paused",
    waiting=5,
    in_work=["a.jpg", "b.jpg", "c.jpg"],
    being_read=[BeingRead("a.jpg", 1, 1, isoformat(0))],
    workers_ready=2,
    worker_deaths=3,
    retries=4,
    cached=5,
    cache_level_hits={"memory": 3, "redis": 2},
    cache_dropped=10,
    to_review=6,
    review_waiting=8,
    not_read=9,
    documents_delivered=11,
    documents_open=12,
    ends={"delivered": 7, "quarantined": 1},
    paused=[
        PauseStatus("delivery", "full", "free some space", isoformat(0)),
        PauseStatus("newer", "x", "y", isoformat(0)),
    ],
    queue_seconds=Distribution([0.5, 1.0], [1, 2, 4], 40.5),
    reading_seconds=Distribution([0.5, 1.0], [7, 0, 0], 1.5),
    services=[
        ServiceStatus("cloud", "https://o", 6, 2, 1, 3, 0.5, Distribution([0.5, 1.0], [1, 4, 1], 5.5)),
        ServiceStatus("gpu", "http://g", seconds=Distribution([0.5], [0, 0], 0.0), paused_since=isoformat(0)),
    ],
)

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(told: Status | None) -> Samples:
    """Return name and labels of every sample of ours with its value, by Prometheus' own parser."""
    _, body = Exposition(lambda: told).render("")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name.startswith("ocrwatch_")
    }


def test_every_metric_has_its_value() -> None:
    """Counters, gauges and histograms, with their labels."""
    found = samples(replace(BUSY, oldest_waiting_since=isoformat(time.time() - 100)))
    plain = {name: value for (name, labels), value in found.items() if not labels}
    age = plain.pop("ocrwatch_oldest_waiting_seconds")
    assert 99 <= age <= 130
    assert plain == {
        "ocrwatch_worker_deaths_total": 3,
        "ocrwatch_retries_total": 4,
        "ocrwatch_cache_hits_total": 5,
        "ocrwatch_cache_dropped_total": 10,
        "ocrwatch_review_total": 6,
        "ocrwatch_documents_delivered_total": 11,
        "ocrwatch_documents_open": 12,
        "ocrwatch_not_read_files": 9,
        "ocrwatch_review_waiting": 8,
        "ocrwatch_queue_scans": 7,
        "ocrwatch_in_work_scans": 1,
        "ocrwatch_workers_ready": 2,
        "ocrwatch_queue_seconds_count": 7,
        "ocrwatch_queue_seconds_sum": 40.5,
        "ocrwatch_reading_seconds_count": 7,
        "ocrwatch_reading_seconds_sum": 1.5,
    }
    assert found["ocrwatch_scans_total", (("result", "delivered"),)] == 7
    assert found["ocrwatch_cache_level_hits_total", (("level", "redis"),)] == 2
    assert found["ocrwatch_paused", (("cause", "delivery"),)] == 1
    assert found["ocrwatch_paused", (("cause", "newer"),)] == 1
    assert found["ocrwatch_paused", (("cause", "inbox"),)] == 0
    assert found["ocrwatch_build_info", (("engine", "tesserocr 5"), ("version", '1.0 "x"\n'))] == 1
    assert [found["ocrwatch_queue_seconds_bucket", (("le", bound),)] for bound in ("0.5", "1.0", "+Inf")] == [1, 3, 7]


def test_every_service_has_its_metrics() -> None:
    """Requests by their end, the time of answers, those under way, and whether it is paused."""
    found = samples(BUSY)
    requests = {labels: value for (name, labels), value in found.items() if name == "ocrwatch_remote_requests_total"}
    assert requests == {
        (("outcome", outcome), ("service", service)): value
        for service, values in (("cloud", (6, 2, 1)), ("gpu", (0, 0, 0)))
        for outcome, value in zip(("answered", "refused", "failed"), values, strict=True)
    }
    of_cloud = ("service", "cloud")
    buckets = [found["ocrwatch_remote_seconds_bucket", (("le", bound), of_cloud)] for bound in ("0.5", "1.0", "+Inf")]
    assert buckets == [1, 5, 6]
    assert found["ocrwatch_remote_seconds_sum", (of_cloud,)] == 5.5
    assert found["ocrwatch_remote_in_flight", (of_cloud,)] == 3
    paused = [found["ocrwatch_paused", (("cause", f"remote:{name}"),)] for name in ("cloud", "gpu")]
    assert paused == [0, 1]


def test_every_result_and_cause_is_there_from_the_start() -> None:
    """A rate over a counter that appears with its first event would miss that one."""
    found = samples(status())
    assert {result for (_, (*_, (name, result))) in (key for key in found if key[1]) if name == "result"} == {*RESULTS}
    assert {cause for (_, (*_, (name, cause))) in (key for key in found if key[1]) if name == "cause"} == {*CAUSES}
    assert found["ocrwatch_oldest_waiting_seconds", ()] == 0


def test_before_there_is_a_status_nothing_is_claimed() -> None:
    """Zeros would be lies; the process itself has its figures."""
    assert samples(None) == {}
    assert b"process_resident_memory_bytes" in Exposition(lambda: None).render("")[1]


def test_the_format_is_what_was_asked_for() -> None:
    """Prometheus asks for OpenMetrics, which has a parser of its own."""
    content_type, body = Exposition(lambda: BUSY).render("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    families = openmetrics_parser.text_string_to_metric_families(body.decode())  # type: ignore[no-untyped-call]
    names = {family.name for family in families}
    assert {"ocrwatch_scans", "ocrwatch_queue_seconds"} <= names
    assert Exposition(lambda: BUSY).render("")[0].startswith("text/plain")


def test_promtool_has_no_complaint() -> None:
    """The names and types follow Prometheus' conventions."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    _, body = Exposition(lambda: BUSY).render("")
    answer = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, b"", b"")
