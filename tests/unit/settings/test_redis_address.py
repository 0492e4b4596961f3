"""Addresses of Redis: without a password, and told whether they are of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocrwatch.errors import UsageError
from ocrwatch.settings.load import load
from ocrwatch.settings.redis_address import parse_redis_address


@pytest.mark.parametrize(
    ("written", "shown", "here"),
    [
        ("redis://localhost", "redis://localhost:6379", True),
        ("redis://127.0.0.1:7000/3", "redis://127.0.0.1:7000/3", True),
        ("redis://[::1]", "redis://[::1]:6379", True),
        ("redis://cache.example.org/", "redis://cache.example.org:6379", False),
        ("redis://192.0.2.1", "redis://192.0.2.1:6379", False),
        ("rediss://ocrwatch@cache.example.org", "rediss://ocrwatch@cache.example.org:6379", False),
        ("unix:///run/redis/a.sock", "unix:///run/redis/a.sock", True),
        ("unix:///run/redis/a.sock?db=2", "unix:///run/redis/a.sock?db=2", True),
    ],
)
def test_each_kind_of_address(written: str, shown: str, here: bool) -> None:  # noqa: FBT001
    """It is shown with its port and number of database."""
    address = parse_redis_address(written)
    assert str(address) == shown
    assert address.is_of_this_machine is here
    assert address.encrypted is written.startswith("rediss")
    assert parse_redis_address(shown) == address


@pytest.mark.parametrize(
    "written",
    [
        "localhost", "http://localhost", "redis://", "redis://:6379", "redis://localhost:port", "redis://localhost:0",
        "redis://localhost/x", "redis://localhost/-1", "redis://localhost?ssl_cert_reqs=none", "redis://localhost#x",
        "rediss://localhost?db=1", "unix://", "unix://relative/a.sock", "unix:///a.sock?timeout=1", "unix:///a%00.sock",
        "redis://loc alhost\n", "redis://[::1", "redis://l\u00f6calhost", "redis://localhost/99999",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(written: str) -> None:
    """With examples."""
    with pytest.raises(ValueError, match=r'such as "redis://localhost"'):
        parse_redis_address(written)


@pytest.mark.parametrize(
    "written",
    [
        "redis://user:s3cret@localhost", "rediss://:s3cret@localhost", "unix://:s3cret@/a.sock",
        "unix:///a.sock?password=s3cret",
    ],
)  # fmt: skip
@pytest.mark.parametrize("way", ["file", "environment", "command line"])
def test_a_password_in_the_address_is_refused_and_not_shown(written: str, way: str, tmp_path: Path) -> None:
    """The settings are shown to many; the remedy names the option for it."""
    config = tmp_path / "ocrwatch.toml"
    config.write_text(f'[cache]\nredis = "{written}"\n' if way == "file" else "")
    environment = {"OCRWATCH_CACHE__REDIS": written} if way == "environment" else {}
    with pytest.raises(UsageError) as caught:
        load(config, {"cache.redis": written} if way == "command line" else {}, environment)
    assert "cache.redis is not valid" in caught.value.message
    assert "cache.redis_password_file" in caught.value.remedy
    assert "s3cret" not in str(caught.value)


def test_other_values_of_the_section_are_shown(tmp_path: Path) -> None:
    """They cannot be secrets."""
    with pytest.raises(UsageError, match=r"cache\.redis_timeout = .*2m"):
        load(None, {"cache.redis_timeout": "2m"}, {"OCRWATCH_CONFIG": ""})


def test_the_files_of_secrets_are_relative_to_the_settings(tmp_path: Path) -> None:
    """As the other files are."""
    config = tmp_path / "ocrwatch.toml"
    config.write_text('[cache]\nredis_key_file = "redis.key"\nredis_password_file = "/etc/redis.password"\n')
    cache = load(config, {}, {}).settings.cache
    assert cache.redis_key_file == tmp_path / "redis.key"
    assert cache.redis_password_file == Path("/etc/redis.password")
