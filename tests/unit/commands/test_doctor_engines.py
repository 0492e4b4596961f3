"""What ``ocrwatch doctor`` says of the engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ocrwatch.checks import machine
from ocrwatch.checks.finding import Finding
from ocrwatch.commands import doctor
from ocrwatch.commands.doctor import _second
from ocrwatch.document import EngineInfo
from ocrwatch.errors import EnvironmentFault
from ocrwatch.recognise import engines
from ocrwatch.recognise.ppocr import weights
from ocrwatch.settings import Settings

INFO = EngineInfo("rapidocr", "3.10.0", ("eng",))
READS = Finding("second reader", "fine", "rapidocr 3.10.0 rereads text with low confidence from Tesseract")
OFF = Finding("second reader", "fine", "none: it is switched off, or does not suit the languages and options")


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have it installed, with networks that need not be loaded."""
    monkeypatch.setattr(weights, "is_installed", lambda: True)
    monkeypatch.setattr(engines, "_prepared_second", lambda _: INFO)


def settings(**ocr: object) -> Settings:
    """Make settings."""
    return Settings.model_validate({"ocr": ocr})


def test_a_second_reader_is_named_with_its_version() -> None:
    """A second reader that reads with these settings is named."""
    assert _second(settings()) == READS
    assert _second(settings(second="rapidocr", languages=["eng", "deu"])) == READS


@pytest.mark.parametrize(
    "ocr",
    [
        {"second": "none"},
        {"languages": "ell"},
        {"whitelist": "0123"},
        {"page_segmentation": 7},
        {"engine": "rapidocr"},
        {"languages": "chi_sim"},
    ],
)
def test_one_that_does_not_suit_is_said_to_be_off(ocr: dict[str, object]) -> None:
    """A second reader that is installed and reads nothing is told with what may be why."""
    assert _second(settings(**ocr)) == OFF


def test_one_that_is_not_installed_is_recommended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, what it would be good for is told, and how to install it; nothing is wrong."""
    monkeypatch.setattr(weights, "is_installed", lambda: False)
    finding = _second(settings())
    assert (finding.subject, finding.severity, finding.remedy) == ("second reader", "fine", "")
    assert finding.message.startswith("none: receipts, forms and photos are read better with one; install the extra: ")
    assert "pip install 'ocrwatch[rapidocr]'" in finding.message


def test_one_that_is_asked_for_and_not_installed_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the settings name it, its absence would stop ocrwatch, and the remedy is the extra."""

    def refuse(_: object) -> EngineInfo:
        raise EnvironmentFault("the Python package rapidocr is not installed", weights.INSTALL)

    monkeypatch.setattr(weights, "is_installed", lambda: False)
    monkeypatch.setattr(engines, "_prepared_second", refuse)
    wanted = Finding("second reader", "problem", "the Python package rapidocr is not installed", weights.INSTALL)
    assert _second(settings(second="rapidocr")) == wanted


def test_one_that_is_installed_and_cannot_be_loaded_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans are read without it, and worse than they could be."""

    def refuse(_: object) -> EngineInfo:
        raise EnvironmentFault("the networks of rapidocr cannot be loaded", "reinstall it")

    monkeypatch.setattr(weights, "is_installed", lambda: True)
    monkeypatch.setattr(engines, "_prepared_second", refuse)
    wanted = Finding("second reader", "warning", "the networks of rapidocr cannot be loaded", "reinstall it")
    assert _second(settings()) == wanted


def test_a_profile_may_have_the_only_second_reader() -> None:
    """A second reader of one profile is named, though the usual settings have none."""
    profile = {"match": "receipts/*", "ocr": {"second": "auto"}}
    assert _second(Settings.model_validate({"ocr": {"second": "none"}, "profiles": [profile]})) == READS


@pytest.mark.parametrize(("second", "ppocr"), [("auto", True), ("none", False)])
def test_memory_is_counted_for_a_second_reader(second: str, monkeypatch: pytest.MonkeyPatch, *, ppocr: bool) -> None:
    """The question whether the memory is enough counts the networks if a recipe has a use for them."""
    asked: list[bool] = []

    def memory(_: int, *, ppocr: bool) -> Iterator[Finding]:
        asked.append(ppocr)
        yield from ()

    monkeypatch.setattr(doctor, "inbox_holder", lambda _: None)
    monkeypatch.setattr(doctor, "holder_of", lambda _: None)
    monkeypatch.setattr(machine, "memory", memory)
    list(doctor._of_running(settings(second=second)))
    assert asked == [ppocr]


SERVICE = {"name": "cloud", "preset": "generic", "url": "https://ocr.example.org"}


def test_a_service_that_rereads_is_named() -> None:
    """It is the second reader, also if PP-OCR is installed."""
    found = _second(Settings.model_validate({"ocr": {"second": "remote:cloud"}, "remote": [SERVICE]}))
    assert (found.severity, found.message) == ("fine", "remote:cloud rereads pages that were not read well")


def test_without_an_engine_of_this_machine_nothing_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services read all scans: neither Tesseract nor language data is needed."""
    monkeypatch.setattr(engines, "load", None)
    wanted = Settings.model_validate({"ocr": {"engine": "remote:cloud"}, "remote": [SERVICE]})
    assert list(doctor._engines(wanted)) == [
        Finding("engine", "fine", "none on this machine: remote services read all scans")
    ]


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        ({}, []),
        ({"remote": [SERVICE]}, []),
        ({"remote": [SERVICE], "ocr": {"engine": "remote:cloud"}}, ["[[remote]]"]),
        ({"status": {"listen": ":9464"}, "hooks": {"webhook": "http://x"}}, ["status.listen", "hooks.webhook"]),
    ],
)
def test_options_that_need_the_network(options: dict[str, object], needed: list[str]) -> None:
    """A service that no engine names needs none."""
    assert doctor._network_options(Settings.model_validate(options)) == needed
