"""What is checked of remote services: at the start, and by ``ocrwatch doctor``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.checks import startup
from ocrwatch.checks.finding import Finding
from ocrwatch.checks.new_settings import check_parts
from ocrwatch.checks.remote import services
from ocrwatch.errors import EnvironmentFault, ServiceFault, UsageError
from ocrwatch.executors.http_ocr.presets import base
from ocrwatch.recipe import RemoteService
from ocrwatch.settings import Remote, Settings


class Preset:
    """A preset, as far as it is checked."""

    def check(self, service: RemoteService) -> None:
        """Know the option model only."""
        if unknown := [name for name, _ in service.options if name != "model"]:
            raise UsageError(f"the preset test has no option {unknown[0]}", "the options are model")


@dataclass(frozen=True)
class Tried:
    """A service's answer."""

    text: str = "Test page 2468"
    seconds: float = 0.26
    is_right: bool = True


@pytest.fixture(autouse=True)
def _preset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have one preset, and the HTTP client."""
    monkeypatch.setattr(base, "_BUILT_IN", {"test": f"{__name__}:Preset"})
    monkeypatch.setattr(startup, "_HTTP_CLIENT", "asyncio")


def settings(*remotes: dict[str, Any], engine: object = "remote:cloud", **options: Any) -> Settings:
    """Return settings; a service has the name cloud, and is elsewhere, unless another is given."""
    usual = {"name": "cloud", "preset": "test", "url": "https://ocr.example.org/v1?id=secret"}
    ocr = {"engine": engine, **options.pop("ocr", {})}
    return Settings.model_validate({"remote": [{**usual, **each} for each in remotes], "ocr": ocr, **options})


def findings(found: Settings, ask: Callable[[Remote], Tried] = lambda _: Tried()) -> list[Finding]:
    """Return what is found."""
    return list(services(found, ask))


def messages(found: Settings) -> list[str]:
    """Return the messages."""
    return [finding.message for finding in findings(found)]


def test_without_services_nothing_is_said() -> None:
    """Most installations have none."""
    assert findings(Settings()) == []


def test_where_scans_go_and_that_the_service_reads() -> None:
    """The path and the parameters of the address are not shown."""
    assert findings(settings({})) == [
        Finding("service cloud", "fine", "all scans are sent to https://ocr.example.org: they leave this machine"),
        Finding("service cloud", "fine", "it has read a test picture in 0.3 s"),
    ]


@pytest.mark.parametrize("host", ["127.0.0.1:9003", "localhost", "[::1]:80", "ocr.localhost", "127.8.9.1"])
def test_a_service_on_this_machine_needs_no_encryption(host: str) -> None:
    """Scans do not leave it."""
    first, *others = messages(settings({"url": f"http://{host}/ocr"}))
    assert first == f"all scans are sent to http://{host} (this machine)"
    assert len(others) == 1


@pytest.mark.parametrize(("key", "what"), [({}, "scans"), ({"key_variable": "HOME"}, "scans and the key")])
def test_plain_http_to_elsewhere_is_a_warning(key: dict[str, str], what: str) -> None:
    """Everybody on the way can read them."""
    found = findings(settings({"url": "http://ocr.example.org:8080", **key}))
    (warning,) = [finding for finding in found if finding.severity == "warning"]
    assert warning.message == f"{what} travel unencrypted to http://ocr.example.org:8080"
    assert "https" in warning.remedy


def test_which_scans_are_sent_is_said_by_profile() -> None:
    """As first reader, as one that stands in, and for doubtful pages."""
    profiles = [
        {"match": "a/**", "name": "letters", "ocr": {"engine": ["remote:cloud"]}},
        {"match": "a/*", "name": "bills", "ocr": {"engine": ["remote:cloud", "auto"]}},
        {"match": "b/**", "ocr": {"engine": ["tesserocr", "remote:cloud"]}},
        {"match": "c/**", "name": "forms", "ocr": {"second": "remote:cloud"}},
    ]
    where = "are sent to https://ocr.example.org: they leave this machine"
    assert messages(settings({}, engine="auto", profiles=profiles))[:3] == [
        f"scans of the profiles letters, bills {where}",
        f"scans of the profile b/** that engines before it do not read {where}",
        f"scans of the profile forms that were not read well {where}",
    ]
    profiles = [{"match": "a/**", "ocr": {"engine": "auto"}}]
    assert messages(settings({}, profiles=profiles))[0].startswith("scans without a profile are sent to")


def test_a_service_that_no_engine_names_is_not_asked() -> None:
    """It may have a price, and would get nothing anyway."""

    def refuse(_: Remote) -> Tried:
        raise AssertionError("asked")

    (warning,) = findings(settings({}, engine="auto"), refuse)
    assert (warning.severity, warning.message) == ("warning", "no engine names it: nothing is sent to it")


def test_a_key_that_everybody_may_read_is_a_warning(tmp_path: Path) -> None:
    """Like the webhook's secret."""
    key = tmp_path / "cloud.key"
    key.write_text("1234567")
    key.chmod(0o644)
    found = findings(settings({"key_file": key}))
    (warning,) = [finding for finding in found if finding.severity == "warning"]
    assert (warning.subject, warning.remedy) == ("service cloud key_file", f"run: chmod o-rwx {key}")
    key.chmod(0o640)
    assert all(finding.severity == "fine" for finding in findings(settings({"key_file": key})))


@pytest.mark.parametrize(
    ("engine", "severity"),
    [("remote:cloud", "problem"), (["remote:cloud", "auto"], "warning"), (["auto", "remote:cloud"], "warning")],
)
def test_a_service_that_does_not_read(engine: object, severity: str) -> None:
    """Scans wait for it if no other engine reads them."""

    def refuse(_: Remote) -> Tried:
        raise ServiceFault("the service cloud answered 401", "check the key")

    last = findings(settings({}, engine=engine), refuse)[-1]
    assert last == Finding("service cloud", severity, "the service cloud answered 401", "check the key")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "shown"), [("Tost  page\n", "Tost page"), ("", "nothing"), ("x" * 80, "x" * 60 + "…")]
)
def test_a_service_that_reads_wrongly_is_a_warning(text: str, shown: str) -> None:
    """It answers, but perhaps not in these languages."""
    last = findings(settings({}), lambda _: Tried(text, is_right=False))[-1]
    assert (last.severity, last.message) == ("warning", f"it has read a test picture wrongly: {shown}")


@pytest.mark.parametrize(
    ("option", "error", "message"),
    [
        ({"preset": "tset"}, UsageError, "no preset named 'tset'"),
        ({"options": {"modle": "x"}}, UsageError, "no option modle"),
        ({"key_file": "/nowhere/key"}, EnvironmentFault, "is not there"),
        ({"key_variable": "OCRWATCH_TEST_NO_KEY"}, UsageError, "is not set"),
    ],
)
def test_a_wrong_service_prevents_start_and_reload(
    option: dict[str, Any], error: type[Exception], message: str
) -> None:
    """`doctor` reports it, and asks no service."""
    found = settings(option)
    for check in (startup.check_remote, check_parts):
        with pytest.raises(error, match=message):
            check(found)
    (finding,) = findings(found)
    assert (finding.subject, finding.severity) == ("services", "problem")
    assert message in finding.message


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is only needed if there are services."""
    monkeypatch.setattr(startup, "_HTTP_CLIENT", "not_installed")
    startup.check_remote(Settings())
    with pytest.raises(UsageError, match="not installed") as refused:
        startup.check_remote(settings({}))
    assert "pip install 'ocrwatch[remote]'" in refused.value.remedy
