"""Where settings come from, what is said of wrong ones, and how they are written out."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocrwatch.errors import EnvironmentFault, UsageError
from ocrwatch.settings import load as configuration
from ocrwatch.settings.key_lookup import option_keys
from ocrwatch.settings.load import load, parse_overrides, parse_value
from ocrwatch.settings.render import write_value
from tests.privileges import reachable_folder, unprivileged


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, without the configuration of this machine."""
    working = tmp_path / "working"
    working.mkdir()
    monkeypatch.chdir(working)
    monkeypatch.setattr(configuration, "_USUAL_FILES", (Path("ocrwatch.toml"),))
    return working


def write(path: Path, text: str) -> Path:
    """Write a file that root accepts too."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return path


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    """Where a configuration file is written to."""
    return tmp_path / "home" / "my.toml"


def test_later_sources_win_and_are_named(toml: Path) -> None:
    """Command line over environment over file over defaults, and each value knows which it was."""
    write(toml, '[ocr]\nengine = "file"\ndpi = 100\nwhitelist = "file"\n')
    environ = {"OCRWATCH_OCR__DPI": "200", "OCRWATCH_OCR__WHITELIST": "123"}
    found = load(toml, parse_overrides(["ocr.whitelist=0123"]), environ)
    ocr = found.settings.ocr
    assert (ocr.engine, ocr.dpi, ocr.whitelist, ocr.blacklist) == (("file",), 200, "0123", "")
    assert [found.provenance[f"ocr.{name}"] for name in ("engine", "dpi", "whitelist", "blacklist")] == [
        str(toml),
        "environment OCRWATCH_OCR__DPI",
        "command line",
        "default",
    ]
    assert found.path == toml
    assert set(option_keys()) <= set(found.provenance)


def test_folders_are_relative_to_where_they_are_written(toml: Path, here: Path) -> None:
    """Folders of the file and defaults belong to the file's folder, all others to the working directory."""
    write(toml, 'inbox = "in"\n[ocr]\ntessdata = "data"\n[[profiles]]\nmatch = "a"\nocr.tessdata = "other"\n')
    found = load(toml, {"archive": "kept"}, {"OCRWATCH_OUTBOX": "out"}).settings
    home = toml.parent
    assert (found.inbox, found.state, found.quarantine) == (home / "in", home / "state", home / "quarantine")
    assert (found.outbox, found.archive) == (here / "out", here / "kept")
    assert (found.ocr.tessdata, found.for_path("a").ocr.tessdata) == (home / "data", home / "other")


def test_without_a_file_folders_are_in_the_working_directory(here: Path) -> None:
    """The quickstart needs no configuration at all."""
    found = load(None, {}, {})
    assert (found.settings.inbox, found.path) == (here / "inbox", None)


def test_systemd_gives_the_state_folder_unless_it_is_set(toml: Path) -> None:
    """$STATE_DIRECTORY replaces the default, not what the admin wrote."""
    environ = {"STATE_DIRECTORY": "/var/lib/ocrwatch:/var/lib/other"}
    assert load(None, {}, environ).settings.state == Path("/var/lib/ocrwatch")
    assert load(write(toml, 'state = "mine"'), {}, environ).settings.state == toml.parent / "mine"


def test_file_is_found_by_variable_then_in_the_working_directory(toml: Path, here: Path) -> None:
    """$OCRWATCH_CONFIG comes before ./ocrwatch.toml, --config before both."""
    write(toml, "")
    local = write(here / "ocrwatch.toml", "")
    other = write(here / "other.toml", "")
    assert load(None, {}, {}).path == local
    assert load(None, {}, {"OCRWATCH_CONFIG": str(toml)}).path == toml
    assert load(other, {}, {"OCRWATCH_CONFIG": str(toml)}).path == other


@pytest.mark.parametrize(
    ("name", "value", "key", "expected"),
    [
        ("OCRWATCH_OUTPUT__FORMATS", "txt,json", "output.formats", ("txt", "json")),
        ("OCRWATCH_OUTPUT__FORMATS", '["json"]', "output.formats", ("json",)),
        ("OCRWATCH_OUTPUT__MODE", "0640", "output.mode", "0640"),
        ("OCRWATCH_WATCH__RECURSIVE", "false", "watch.recursive", False),
        ("OCRWATCH_SETTLE__MAX_BYTES", "5MB", "settle.max_bytes", "5MB"),
        ("OCRWATCH_OCR__VARIABLES", "{ a = true }", "ocr.variables", {"a": "1"}),
        ("OCRWATCH_OCR__VARIABLES__A", "1", "ocr.variables", {"a": "1"}),
        ("OCRWATCH_OCR__WHITELIST", "[1]", "ocr.whitelist", "[1]"),
        ("OCRWATCH_ON_SUCCESS", "keep", "on_success", "keep"),
    ],
)
def test_environment_variables(name: str, value: str, key: str, expected: object) -> None:
    """Every option can be set by a variable, lists and tables too."""
    found: Any = load(None, {}, {name: value}).settings.model_dump()
    for part in key.split("."):
        found = found[part]
    assert found == expected


def test_variables_of_the_engine_come_together_from_all_sources(toml: Path) -> None:
    """Tables are merged entry by entry."""
    write(toml, "[ocr.variables]\na = 1\nb = 2\n")
    found = load(toml, parse_overrides(["ocr.variables.b=3"]), {"OCRWATCH_OCR__VARIABLES__C": "4"})
    assert found.settings.ocr.variables == {"a": "1", "b": "3", "c": "4"}


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("inbocks = 1", "there is no option inbocks", "did you mean inbox?"),
        ('[settle]\nstable_fro = "1s"', "there is no option settle.stable_fro", "did you mean settle.stable_for?"),
        ("[log]\ngive_up_after = 1", "there is no option log.give_up_after", r"belongs in section \[settle\]"),
        (
            "[[profiles]]\nmatch = 'a'\nocr.dpii = 1",
            r"no option profiles\[0\].ocr.dpii",
            "did you mean profiles\\[0\\].ocr.dpi?",
        ),
        ("[[profiles]]\nname = 'a'", r"profiles\[0\].match is missing", "add it"),
        ("_env_file = 'x'", "there is no option _env_file", "inbox, outbox"),
        ('[settle]\nstable_for = "1 sec"', 'settle.stable_for = "1 sec" is not valid', '"300ms"'),
        ('[settle]\nstable_for = "9d"', 'settle.stable_for = "9d" is not valid', "from 0s to 1h"),
        ("[workers]\nmax_memory = '1MB'", 'workers.max_memory = "1MB" is not valid', "1GB to 10TB, or 0"),
        ("[workers]\ncount = -1", "workers.count = -1 is not valid", "at least 0"),
        ("[batch]\nmax_scans = 1.5", "batch.max_scans = 1.5 is not valid", "whole number"),
        ("[watch]\nrecursive = 'perhaps'", "watch.recursive", "true or false"),
        ("[log]\nlevel = 'inof'", 'log.level = "inof" is not valid', "'warning' or 'error'; did you mean info?"),
        ("[ocr]\npage_segmentation = 0", "ocr.page_segmentation = 0", "1 or 3 to 13"),
        ("[ocr]\nlanguages = ['../x']", r'ocr.languages\[0\] = "../x"', "chi_sim"),
        ("[ocr]\nlanguages = []", r"ocr.languages = \[\]", "at least one"),
        ("[ocr]\nlanguages = 'eng+deu'", r'ocr.languages\[0\] = "eng\+deu"', r'a list, \["eng", "deu"\], or eng,deu'),
        ("[ocr]\nlanguages = ['fra', 'de+en']", r'ocr.languages\[1\] = "de\+en"', r'\["deu", "eng"\]'),
        ("[ocr]\nlanguages = ['Chinese (simplified)']", r"ocr.languages\[0\]", 'write "chi_sim"'),
        ("[ocr]\nlanguages = ['eng', 'osd']", r"ocr.languages\[1\]", "leave osd out"),
        ("[ocr]\nvariables = 5", "ocr.variables = 5", "a table, such as { name"),
        (
            "[output]\nformats = ['jsn']",
            r'formats\[0\] = "jsn"',
            "'txt'.* or '.*', or.*; did you mean json?",
        ),
        (
            "[output]\nformats = ['docx']",
            r'formats\[0\] = "docx"',
            "install the package that has it",
        ),
        ("[output]\nformats = ['txt', 'txt']", "output.formats", "each entry once"),
        ("[output]\nmode = 640", "output.mode = 640", '"0640"'),
        ("[retry]\nfirst_delay = '1h'", "options in retry contradict", "retry.max_delay"),
        ("ocr = 5", "ocr = 5 is not valid", r"\[ocr\]"),
        ("profiles = 5", "profiles = 5 is not valid", "a list"),
        ("[profiles.group]\nby = 'name'", "profiles = .* is not valid", r"each under its own \[\[profiles\]\]"),
        ("[[profiles]]\nmatch = 'a'\nby = 'name'", r"no option profiles\[0\].by", r"in section \[profiles.group\]"),
        ("[[profiles]]\nmatch = 'a'\nquiet = '1s'", r"no option profiles\[0\].quiet", r"in section \[profiles.group\]"),
        ("[output]\nby = 'name'", "no option output.by", r"by belongs in section \[profiles.group\]"),
        ("inbox = 5", "inbox = 5 is not valid", "path in quotes"),
        ('inbox = ""', 'inbox = "" is not valid', "name a folder"),
        ("[ocr]\ndpi = 1\ndpi = 2\n", "not valid TOML.*line 3", "correct it"),
        ("a = " + "[" * 5000, "not valid TOML", "correct it"),
        ("[workers]\ncount = 0x" + "f" * 9000, r"workers.count = \.\.\.", "whole number|at most"),
    ],
)
def test_wrong_files_are_explained(toml: Path, text: str, message: str, remedy: str) -> None:
    """The error names the file, the key and the value, and says what would be right."""
    with pytest.raises(UsageError) as caught:
        load(write(toml, text), {}, {})
    assert caught.value.message.startswith(str(toml))
    assert re.search(message, caught.value.message)
    assert re.search(remedy, caught.value.remedy)


@pytest.mark.parametrize(
    ("text", "key", "remedy"),
    [
        (
            "[hooks]\nwebhook = 'https://anna:s3cret@example.org/'",
            "hooks.webhook",
            "put user and password into the file",
        ),
        ("[hooks]\nwebhook = 'htps://example.org/s3cret'", "hooks.webhook", "write an address"),
        ("[hooks]\nwebhook = ['https://example.org/s3cret']", "hooks.webhook", "text in quotes"),
        ("[hooks]\nwebhook_secret = 's3cret\\u0000'".replace("'", '"'), "hooks.webhook_secret", "name a file"),
        ("[hooks]\ndelivered = ['./post', 's3cret']", "hooks.delivered", "absolute path"),
        ("[hooks]\ndelivered = ['/post', { token = 's3cret' }]", "hooks.delivered[1]", "text in quotes"),
        ("[hooks]\ntimeout = 's3cret'", "hooks.timeout", "write a duration"),
        ("hooks = 'https://example.org/s3cret'", "hooks", "write a section"),
    ],
)
def test_values_of_hooks_are_not_quoted(toml: Path, text: str, key: str, remedy: str) -> None:
    """They may hold a secret, and everybody on the machine may read the error: it has the key and what is wrong."""
    with pytest.raises(UsageError) as caught:
        load(write(toml, text), {}, {})
    assert caught.value.message == f"{toml}: {key} is not valid"
    assert remedy in caught.value.remedy
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("OCRWATCH_INBOCKS", "OCRWATCH_INBOX"),
        ("OCRWATCH_SETTLE__STABLE_FRO", "OCRWATCH_SETTLE__STABLE_FOR"),
        ("OCRWATCH_OCR", "OCRWATCH_OCR__"),
        ("OCRWATCH_OCR__VARIABLES__A__B", "OCRWATCH_OCR__VARIABLES"),
        ("OCRWATCH_", ""),
    ],
)
def test_unknown_variables_are_refused(name: str, remedy: str) -> None:
    """A misspelt variable would otherwise be ignored without a word."""
    with pytest.raises(UsageError, match=f"{name} sets no option") as caught:
        load(None, {}, {name: "1"})
    assert remedy in caught.value.remedy


def test_wrong_variable_is_named() -> None:
    """The error for a variable's value names the variable."""
    with pytest.raises(UsageError, match=r"environment OCRWATCH_OCR__DPI: ocr\.dpi"):
        load(None, {}, {"OCRWATCH_OCR__DPI": "many"})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("settle.quiet", "settle.stable_for"),
        ("settle.closed_quiet", "settle.stable_for_closed"),
        ("settle.patience", "settle.give_up_after"),
        ("enhance.on", "enhance.enabled"),
        ("cache.on", "cache.enabled"),
        ("workers.grace", "workers.shutdown_timeout"),
        ("workers.recycle_after", "workers.max_scans"),
        ("hooks.queue", "hooks.queue_size"),
        ("history.keep", "history.max_age"),
    ],
)
def test_options_of_older_versions_are_named_anew(tmp_path: Path, old: str, new: str) -> None:
    """A renamed option is refused in the file, in a variable and on the command line, with its name today."""
    section, _, option = old.partition(".")
    toml = tmp_path / "my.toml"
    toml.write_text(f"[{section}]\n{option} = 1\n")
    variable = f"OCRWATCH_{section}__{option}".upper()
    for config, overrides, environ in ((toml, {}, {}), (None, {old: "1"}, {}), (None, {}, {variable: "1"})):
        with pytest.raises(UsageError) as refused:
            load(config, overrides, environ)
        assert refused.value.remedy == f"it is now called {new}"
    assert new in option_keys()


def test_an_old_option_in_a_profile_is_named_anew(tmp_path: Path) -> None:
    """The remedy names the option where it stands."""
    toml = tmp_path / "my.toml"
    toml.write_text('[[profiles]]\nmatch = "*"\nenhance.on = false\n')
    with pytest.raises(UsageError) as refused:
        load(toml, {}, {})
    assert refused.value.remedy == "it is now called profiles[0].enhance.enabled"


@pytest.mark.parametrize("argument", ["settle.stable_for", "=1", "settle.=1", ".quiet=1", ""])
def test_malformed_overrides_are_refused(argument: str) -> None:
    """--set takes key=value and says so."""
    with pytest.raises(UsageError, match="not of the form key=value"):
        parse_overrides([argument])


@pytest.mark.parametrize(
    "arguments", [["settle=1", "settle.stable_for=1s"], ["settle.stable_for=1s", "settle=1"], ["a.b.c.d=1"]]
)
def test_impossible_overrides_are_refused(arguments: list[str]) -> None:
    """Options are not sections."""
    with pytest.raises(UsageError, match="command line"):
        load(None, parse_overrides(arguments), {})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('["a", "b"]', ["a", "b"]),
        ('"1"', "1"),
        ("{ a = 1 }", {"a": 1}),
        ("[broken", "[broken"),
        ("2024-01-01", "2024-01-01"),
    ],
)
def test_values_in_the_notation_of_toml(text: str, value: object) -> None:
    """Lists, tables and quoted text are understood; everything else is left to the option."""
    assert parse_value(text) == value


def test_missing_file_that_was_named_is_an_error(toml: Path) -> None:
    """The error says who named it."""
    with pytest.raises(UsageError, match="--config names does not exist"):
        load(toml, {}, {})
    with pytest.raises(UsageError, match="OCRWATCH_CONFIG names does not exist"):
        load(None, {}, {"OCRWATCH_CONFIG": str(toml)})


def test_what_is_not_a_text_file_is_refused(toml: Path) -> None:
    """Folders and other encodings are told apart from mistakes in TOML."""
    toml.parent.mkdir()
    with pytest.raises(UsageError, match="is not a file"):
        load(toml.parent, {}, {})
    os.mkfifo(toml)
    with pytest.raises(UsageError, match="is not a file"):
        load(toml, {}, {})
    toml.unlink()
    toml.write_bytes(b'inbox = "\xff"')
    with pytest.raises(UsageError, match="UTF-8"):
        load(toml, {}, {})


@pytest.mark.parametrize("closed", ["my.toml", "."])
def test_unreadable_file_is_refused(closed: str) -> None:
    """A file that may not be read, or whose folder may not be entered, is named, with the system's reason.

    No value in it is wrong: a service is started again, and works once it has the permission.
    """
    with reachable_folder() as folder:
        inner = folder / "inner"
        inner.mkdir()
        toml = write(inner / "my.toml", "")
        (inner / closed).chmod(0)
        with unprivileged(), pytest.raises(EnvironmentFault, match=r"cannot read .*my.toml \(permission denied\)"):
            load(toml, {}, {})


@pytest.mark.parametrize("named", [True, False])
def test_a_disk_that_fails_is_not_a_missing_file(toml: Path, monkeypatch: pytest.MonkeyPatch, *, named: bool) -> None:
    """What the disk does not give for a moment is the environment's fault, and never means the defaults."""
    monkeypatch.setattr(configuration, "_USUAL_FILES", (toml,))
    write(toml, "")

    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.EIO, "whatever")

    monkeypatch.setattr(Path, "stat", fail)
    with pytest.raises(EnvironmentFault, match=r"cannot read the settings file .*my.toml \(input/output error\)"):
        load(toml if named else None, {}, {})


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_root_refuses_a_file_that_others_can_write(toml: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    """Whoever can write the file could otherwise make root delete or publish files."""
    write(toml, "").chmod(mode)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(UsageError, match="others than its owner"):
        load(toml, {}, {})
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert load(toml, {}, {}).path == toml


def accepts(toml: Path, content: bytes) -> None:
    """Load ``content``; UsageError is the only error that may come of it."""
    toml.parent.mkdir(exist_ok=True)
    toml.write_bytes(content)
    toml.chmod(0o644)
    with contextlib.suppress(UsageError):
        load(toml, {}, {})


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_no_bytes_cause_anything_but_a_usage_error(toml: Path, content: bytes) -> None:
    """Whatever the file holds, the user gets one sentence."""
    accepts(toml, content)


texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["match", "ocr"]), inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from([*option_keys(), "ocr", "retry", "x", "ocr.variables.x", "ocr.x.y.z"]), values)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_no_value_causes_anything_but_a_usage_error(toml: Path, key: str, value: object) -> None:
    """Whatever an option is set to, it is accepted or explained."""
    accepts(toml, f"{key} = {write_value(value)}\n".encode())


@pytest.mark.parametrize("wrong", ["[settle]\nstable_fro = 1\n", "[settle\n", "\n[settle]\n]"])
def test_what_is_asked_for_alone_is_taken_from_a_wrong_file(wrong: str, tmp_path: Path) -> None:
    """The state folder is found whatever is wrong with the tables behind it, so that ``status`` can look there."""
    path = tmp_path / "ocrwatch.toml"
    path.write_text(f'inbox = "in"\nstate = "kept"\n{wrong}')
    path.chmod(0o644)
    with pytest.raises(UsageError):
        load(path, {}, {})
    settings = load(path, {}, {}, only={"state"}).settings
    assert (settings.state, settings.inbox) == (tmp_path / "kept", tmp_path / "inbox")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused such a file")
def test_nothing_is_taken_from_a_file_that_others_may_write(tmp_path: Path) -> None:
    """Root is not led to another folder by it."""
    path = tmp_path / "ocrwatch.toml"
    path.write_text('state = "planted"\n')
    path.chmod(0o666)
    with pytest.raises(UsageError, match="can be written by others"):
        load(path, {}, {}, only={"state"})
