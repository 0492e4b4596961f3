"""What is shipped for systemd, Samba, Docker, Prometheus and Grafana fits ocrwatch, and itself."""

from __future__ import annotations

import configparser
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import yaml

from ocrwatch.errors import ExitCode
from ocrwatch.settings import Settings
from ocrwatch.settings.load import check_folders, load
from ocrwatch.storage.files import TEMPORARY_PREFIX

DEPLOY = Path(__file__).parents[3] / "deploy"

METRICS = {
    "ocrwatch_scans_total", "ocrwatch_queue_scans", "ocrwatch_oldest_waiting_seconds", "ocrwatch_in_work_scans",
    "ocrwatch_paused", "ocrwatch_worker_deaths_total", "ocrwatch_queue_seconds_bucket",
    "ocrwatch_reading_seconds_bucket", "ocrwatch_retries_total", "ocrwatch_review_total",
    "ocrwatch_cache_hits_total", "ocrwatch_build_info", "ocrwatch_remote_requests_total",
    "ocrwatch_remote_seconds_bucket", "ocrwatch_remote_in_flight",
}  # fmt: skip
"""What the board and the alerts may ask for, and the board shows all of."""


def _unit(name: str) -> dict[str, list[str]]:
    """Return a unit's settings, each with its values in their order."""
    settings: dict[str, list[str]] = {}
    for line in (DEPLOY / "systemd" / name).read_text().splitlines():
        key, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            settings.setdefault(key, []).append(value)
    return settings


def _installed_settings() -> Settings:
    # Root's settings must not be writable to others, as files of a checkout may be.
    with tempfile.NamedTemporaryFile(suffix=".toml") as copy:
        copy.write((DEPLOY / "ocrwatch.toml").read_bytes())
        copy.flush()
        return load(Path(copy.name), {}, {}).settings


def test_the_installed_settings_are_valid() -> None:
    """The service's settings load, and its folders lie where the unit may write and the snippet makes them."""
    settings = _installed_settings()
    check_folders(settings)
    made = re.findall(r"^d (\S+) +2770", (DEPLOY / "systemd" / "ocrwatch.tmpfiles").read_text(), re.MULTILINE)
    folders = [settings.inbox, settings.outbox, settings.archive, settings.quarantine]
    assert sorted(made) == sorted(map(str, folders))
    unit = _unit("ocrwatch.service")
    assert {str(folder.parent) for folder in folders} == {unit["ReadWritePaths"][0].removeprefix("-")}
    assert str(settings.state) == f"/var/lib/{unit['StateDirectory'][0]}"


def test_an_instance_is_run_like_the_only_one() -> None:
    """The template differs from the unit in its names alone."""

    def expanded(name: str) -> dict[str, list[str]]:
        return {key: values for key, values in _unit(name).items() if key != "Description"}

    template = json.dumps(expanded("ocrwatch@.service"))
    template = template.replace("/etc/ocrwatch/%i.toml", "/etc/ocrwatch/ocrwatch.toml").replace("-%i", "")
    assert json.loads(template) == expanded("ocrwatch.service")


def test_the_unit_allows_what_a_stop_takes() -> None:
    """The service manager waits longer than the daemon's own grace, and does not start again what cannot get better."""
    unit = _unit("ocrwatch.service")
    assert float(unit["TimeoutStopSec"][0].removesuffix("s")) > _installed_settings().workers.shutdown_timeout + 10
    never_again = {int(code) for code in unit["RestartPreventExitStatus"][0].split()}
    assert never_again == {int(ExitCode.USAGE), int(ExitCode.LOCKED)}


def test_the_share_hides_what_is_being_written() -> None:
    """Samba shows the service's folders, without ocrwatch's temporary files, and caches nothing."""
    share = configparser.ConfigParser(interpolation=None)
    share.read(DEPLOY / "samba" / "ocrwatch.conf")
    options = share["ocrwatch"]
    assert options["path"] == str(_installed_settings().inbox.parent)
    assert f"/{TEMPORARY_PREFIX}*/" in options["veto files"]
    assert options["oplocks"] == options["level2 oplocks"] == "no"
    assert options["force group"] == _unit("ocrwatch.service")["Group"][0]


def test_the_container_is_told_settings_that_exist(tmp_path: Path) -> None:
    """The variables of Dockerfile and compose file are ocrwatch's, and the folders lie in the volume."""
    compose: dict[str, Any] = yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text())
    service = compose["services"]["ocrwatch"]
    dockerfile = (DEPLOY / "docker" / "Dockerfile").read_text()
    environment = {**dict(re.findall(r"(OCRWATCH_\w+)=(\S+)", dockerfile)), **service["environment"]}
    config = tmp_path / "ocrwatch.toml"
    config.write_text("")
    settings = load(config, {}, environment).settings
    check_folders(settings)
    volume = re.findall(r"^VOLUME (\S+)$", dockerfile, re.MULTILINE)
    assert {str(folder.parent) for folder in (settings.inbox, settings.outbox, settings.state)} == set(volume)
    assert service["volumes"][0].endswith(f":{volume[0]}")
    assert float(service["stop_grace_period"].removesuffix("s")) > settings.workers.shutdown_timeout
    assert re.search(r"^USER (?!root)\w+$", dockerfile, re.MULTILINE)


def _metrics(expression: str) -> set[str]:
    return set(re.findall(r"\bocrwatch_\w+", expression))


def test_the_alerts_ask_for_metrics_that_exist() -> None:
    """Every rule says what happened and what to do, by metrics that ocrwatch has."""
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"][0]["rules"]
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 8
    for rule in rules:
        assert _metrics(rule["expr"]) <= METRICS
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


def test_the_board_shows_every_metric() -> None:
    """The Grafana board has a panel for each metric, none on top of another, and asks for no others."""
    board = json.loads((DEPLOY / "grafana" / "ocrwatch.json").read_text())
    asked: set[str] = set()
    places: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        for target in panel["targets"]:
            asked |= _metrics(target["expr"])
        at = panel["gridPos"]
        covered = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not places & covered, panel["title"]
        places |= covered
    assert asked == METRICS
