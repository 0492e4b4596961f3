"""Which recipes the settings have, and which of them this machine's workers read."""

from __future__ import annotations

from typing import Any

import pytest

from ocrwatch.checks import startup
from ocrwatch.errors import EnvironmentFault
from ocrwatch.settings import Settings

SERVICES = [{"name": name, "preset": "generic", "url": f"https://{name}.example.org"} for name in ("cloud", "spare")]


def settings(engine: object, **options: Any) -> Settings:
    """Return settings with two services."""
    ocr = {"engine": engine, **options.pop("ocr", {})}
    return Settings.model_validate({"ocr": ocr, "remote": SERVICES, **options})


def engines(found: Settings, *, local: bool = False) -> list[str]:
    """Return the engines of the recipes, in order."""
    recipes = startup.local_recipes(found) if local else startup.recipes(found)
    return [each.engine for each in recipes]


def test_each_engine_of_a_chain_has_a_recipe_the_preferred_last() -> None:
    """A worker warms up all of them, and the last is the one of most scans."""
    found = settings(["remote:cloud", "tesserocr", "pytesseract"])
    assert engines(found) == ["pytesseract", "tesserocr", "remote:cloud"]
    assert engines(found, local=True) == ["pytesseract", "tesserocr"]


def test_profiles_come_first_and_equal_recipes_once() -> None:
    """Those without a profile are last, also if a profile has the same."""
    profiles = [{"match": "a", "ocr": {"engine": "remote:spare,auto"}}, {"match": "b"}]
    found = settings(["remote:cloud", "auto"], profiles=profiles)
    assert engines(found) == ["remote:spare", "auto", "remote:cloud"]
    assert engines(found, local=True) == ["auto"]


def test_each_recipe_knows_its_service() -> None:
    """A local engine has one too if a service rereads its doubtful pages."""
    found = startup.recipes(settings(["remote:cloud", "auto"], ocr={"second": "remote:spare"}))
    assert [each.remote and each.remote.name for each in found] == ["spare", "cloud"]


def test_workers_do_not_warm_up_services() -> None:
    """With services alone there is nothing to warm up."""
    assert startup.worker_options(settings("remote:cloud")).recipes == ()
    (local,) = startup.worker_options(settings(["remote:cloud", "auto"])).recipes
    assert local.engine == "auto"


def test_language_data_is_for_local_engines(tmp_path: Any) -> None:
    """A service has its own; the engine that stands in for it needs the data of this machine."""
    missing = {"languages": ["eng"], "tessdata": tmp_path}
    startup.check_languages(settings("remote:cloud", ocr=missing))
    with pytest.raises(EnvironmentFault):
        startup.check_languages(settings(["remote:cloud", "tesserocr"], ocr=missing))
