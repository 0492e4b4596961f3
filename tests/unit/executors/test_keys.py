"""Keys of remote services: where they come from, and that they stay there."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrwatch.errors import EnvironmentFault, OcrwatchError, UsageError
from ocrwatch.executors.http_ocr import keys
from ocrwatch.executors.http_ocr.keys import Key, key_of, take_variables
from ocrwatch.settings import Remote
from tests.privileges import reachable_folder, unprivileged

KEY = "sk-4711-hidden"


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what other tests have read."""
    yield
    keys._files.clear()
    keys._taken.clear()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the key is."""
    return tmp_path / "cloud.key"


def service(**options: object) -> Remote:
    """Return a service."""
    return Remote.model_validate({"name": "cloud", "preset": "generic", "url": "https://ocr.example.org", **options})


def look_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at files each time."""
    monkeypatch.setattr(keys, "_LOOKED_AT_EVERY", 0.0)


def test_a_service_without_a_key_has_none() -> None:
    """Such as one on this machine."""
    assert key_of(service()) is None


@pytest.mark.parametrize("content", [KEY, f"{KEY}\n", f"{KEY}\r\n"])
def test_the_key_is_the_line_of_its_file(file: Path, content: str) -> None:
    """Editors end it with a newline, which is not part of it."""
    file.write_bytes(content.encode())
    key = key_of(service(key_file=file))
    assert key is not None
    assert key.value == KEY


def test_a_key_may_have_parts() -> None:
    """None of them may be in a message, but short ones would occur in words."""
    assert Key("an-id:the-secret:de").parts == ("an-id:the-secret:de", "the-secret")
    assert Key(KEY).parts == (KEY,)


def test_a_key_is_in_no_text_of_it() -> None:
    """Nobody logs it by mistake, and no worker gets it."""
    key = Key(KEY)
    assert KEY not in f"{key} {key!r} {[key]}"
    with pytest.raises(TypeError, match="stays in its process"):
        pickle.dumps(key)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"  \n", "is empty"),
        (f"{KEY}\n{KEY}\n".encode(), "several lines"),
        (f"{KEY}\n\n".encode(), "several lines"),
        (f"{KEY}\r{KEY}".encode(), "several lines"),
        (f" {KEY}\n".encode(), "spaces before or after"),
        (f"{KEY}é\n".encode(), "characters that no key has"),
        (f"{KEY}\0\n".encode(), "characters that no key has"),
        (f"{KEY}\xff".encode("latin-1"), "characters that no key has"),
        (KEY.encode() * 1000, "more than 8000 bytes"),
    ],
)
def test_a_file_with_something_else_is_refused_without_its_content(file: Path, content: bytes, message: str) -> None:
    """The error names the file, the service and the remedy."""
    file.write_bytes(content)
    with pytest.raises(UsageError, match=message) as refused:
        key_of(service(key_file=file))
    assert str(file) in refused.value.message
    assert "service cloud" in refused.value.message
    assert "one line" in refused.value.remedy
    assert KEY not in f"{refused.value} {refused.value!r}"


def test_a_file_that_cannot_be_read_is_the_environments_fault(tmp_path: Path) -> None:
    """A missing file, one that is closed to this user, and what is no file."""
    with pytest.raises(EnvironmentFault, match="is not there") as missing:
        key_of(service(key_file=tmp_path / "none"))
    assert "correct key_file" in missing.value.remedy
    with pytest.raises(OcrwatchError, match="is not a file"):
        key_of(service(key_file=tmp_path))
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(UsageError, match="is not a file"):
        key_of(service(key_file=fifo))
    with reachable_folder() as folder:
        closed = folder / "key"
        closed.write_text(KEY)
        closed.chmod(0o600)
        with unprivileged():
            if os.access(closed, os.R_OK, effective_ids=True):
                pytest.skip("this user may read every file")
            with pytest.raises(EnvironmentFault, match="permission denied") as refused:
                key_of(service(key_file=closed))
    assert str(closed) in refused.value.remedy


def test_a_new_key_is_used_without_a_restart(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is read again once it has changed."""
    look_again(monkeypatch)
    remote = service(key_file=file)
    file.write_text("first-key")
    first = key_of(remote)
    assert key_of(remote) is first
    file.write_text("second-key\n")
    second = key_of(remote)
    assert second is not None
    assert second.value == "second-key"


def test_a_file_that_is_gone_is_noticed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was taken away is not used any more."""
    look_again(monkeypatch)
    remote = service(key_file=file)
    file.write_text(KEY)
    key_of(remote)
    file.unlink()
    with pytest.raises(EnvironmentFault, match="is not there"):
        key_of(remote)


def test_many_requests_look_at_the_file_once(file: Path) -> None:
    """Not even a slow disk delays each of them."""
    file.write_text(KEY)
    remote = service(key_file=file)
    first = key_of(remote)
    file.unlink()
    assert key_of(remote) is first


def test_the_key_can_be_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """It must be set, and be a key."""
    remote = service(key_variable="CLOUD_KEY")
    monkeypatch.delenv("CLOUD_KEY", raising=False)
    with pytest.raises(UsageError, match="variable CLOUD_KEY with the key of the service cloud is not set"):
        key_of(remote)
    monkeypatch.setenv("CLOUD_KEY", "")
    with pytest.raises(UsageError, match="is empty"):
        key_of(remote)
    monkeypatch.setenv("CLOUD_KEY", KEY)
    key = key_of(remote)
    assert key is not None
    assert key.value == KEY


def test_programs_do_not_get_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers and hooks have this process's environment; it can still read the key, also at a second start."""
    monkeypatch.setenv("CLOUD_KEY", KEY)
    remotes = [service(), service(key_variable="CLOUD_KEY"), service(key_variable="OTHER_KEY")]
    assert take_variables(remotes)
    assert not take_variables(remotes)
    code = "import os; print('CLOUD_KEY' in os.environ)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
    key = key_of(remotes[1])
    assert key is not None
    assert key.value == KEY
