"""Options of the Redis level: its secrets come from files, and what is missing is said with its remedy."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.cache import redis_options as options_module
from ocrwatch.cache.redis_options import redis_options
from ocrwatch.checks.new_settings import check_parts
from ocrwatch.checks.startup import known_texts
from ocrwatch.errors import EnvironmentFault, OcrwatchError, UsageError
from ocrwatch.settings import Cache, Settings

URL = "redis://localhost"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Write a key."""
    path = tmp_path / "redis.key"
    path.write_bytes(b"k" * 44 + b"\n")
    return path


def cache(**options: Any) -> Cache:
    """Return the settings of the cache."""
    return Cache(redis=URL, **options)


def test_without_an_address_there_is_no_level() -> None:
    """And nothing that it needs is looked for."""
    assert redis_options(Cache(redis_key_file=Path("/nonexistent"))) is None
    check_parts(Settings(cache=Cache(enabled=False, redis=URL)))


def test_the_secrets_are_read_from_files(key: Path, tmp_path: Path) -> None:
    """The line's end belongs to neither."""
    (tmp_path / "password").write_text("pass word\n")
    found = redis_options(cache(redis_key_file=key, redis_password_file=tmp_path / "password", redis_timeout="20ms"))
    assert found is not None
    assert (found.key, found.password, found.timeout, found.max_age) == (b"k" * 44, "pass word", 0.02, 86400)
    assert str(found.address) == "redis://localhost:6379"


def test_no_text_is_kept_longer_than_in_the_cache(key: Path) -> None:
    """``max_age`` is for all levels."""
    found = redis_options(cache(redis_key_file=key, max_age="1h"))
    assert found is not None
    assert found.max_age == 3600


def test_without_a_key_it_does_not_start(tmp_path: Path) -> None:
    """Others who can write to Redis could choose the texts; the remedy has the command that makes a key."""
    settings = Settings(state=tmp_path, cache=cache())
    for start in (check_parts, known_texts):
        with pytest.raises(UsageError, match="redis_key_file") as caught:
            start(settings)
        assert "head -c 32 /dev/urandom | base64 >" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "content", "kind", "said"),
    [
        ("redis_key_file", None, EnvironmentFault, "no such file"),
        ("redis_key_file", b"too short\n", UsageError, "holds 9 bytes"),
        ("redis_password_file", None, EnvironmentFault, "no such file"),
        ("redis_password_file", b"\n", UsageError, "no password"),
        ("redis_password_file", b"two\nlines\n", UsageError, "no password"),
        ("redis_password_file", b"\xff\n", UsageError, "UTF-8"),
    ],
)
def test_a_file_without_a_secret_is_refused(
    name: str, content: bytes | None, kind: type[OcrwatchError], said: str, key: Path, tmp_path: Path
) -> None:
    """In one sentence with the option's name, its file and a remedy."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(kind) as caught:
        redis_options(cache(**{"redis_key_file": key, name: path}))
    assert said in caught.value.message
    assert f"cache.{name}" in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.remedy


def test_a_key_that_may_not_be_read_is_said_so(key: Path) -> None:
    """The remedy is not to make another."""
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    key.chmod(0)
    with pytest.raises(EnvironmentFault, match="permission denied"):
        redis_options(cache(redis_key_file=key))


def test_a_missing_package_is_said_with_the_extra(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked for, and not imported."""
    found = importlib.util.find_spec

    def without(name: str) -> ModuleSpec | None:
        return None if name == "redis" else found(name)

    monkeypatch.setattr(options_module, "find_spec", without)
    with pytest.raises(EnvironmentFault, match="package redis") as caught:
        redis_options(cache(redis_key_file=key))
    assert "pip install 'ocrwatch[redis]'" in caught.value.remedy


def test_the_package_is_not_loaded_without_an_address() -> None:
    """It costs time and memory, and is not there if its extra is not installed."""
    code = "import sys, ocrwatch.checks.redis_server, ocrwatch.daemon.daemon; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_each_command_for_a_key_makes_one(tmp_path: Path) -> None:
    """Of more bytes than the shortest, which only its owner may read."""
    path = tmp_path / "new.key"
    with pytest.raises(UsageError, match="redis_key_file") as caught:
        redis_options(cache())
    command = caught.value.remedy.partition("run ")[2].partition(", let")[0]
    assert os.system(command.replace("/etc/ocrwatch/redis.key", str(path))) == 0  # noqa: S605 - ours
    assert path.stat().st_mode & 0o777 == 0o600
    assert redis_options(cache(redis_key_file=path)) is not None
