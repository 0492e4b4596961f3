"""Merges the sources of settings, and records the source of each value.

In ascending priority: defaults, TOML file, environment, command line.
"""

from __future__ import annotations

import itertools
import os
import stat
import sys
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from ocrwatch.errors import EnvironmentFault, UsageError, environment_fault
from ocrwatch.group_membership import remedy_for_reader
from ocrwatch.settings import Settings
from ocrwatch.settings.errors import did_you_mean, renamed, unknown_option, wrong_value
from ocrwatch.settings.key_lookup import is_option, option_keys
from ocrwatch.storage.mounts import is_missing

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

CONFIG_VARIABLE = "OCRWATCH_CONFIG"
"""Environment variable that names the configuration file."""

_PREFIX = "OCRWATCH_"
_FOLDERS = ("inbox", "outbox", "archive", "quarantine", "state")
_PATHS = (
    *_FOLDERS, "ocr.tessdata", "hooks.webhook_secret", "profiles.ocr.tessdata", "remote.key_file",
    "cache.redis_key_file", "cache.redis_password_file",
)  # fmt: skip
"""Options that are relative to where they are written."""
_USUAL_FILES = (Path("ocrwatch.toml"), Path("/etc/ocrwatch/ocrwatch.toml"))
_WRITABLE_BY_OTHERS = 0o022


@dataclass(frozen=True, slots=True)
class Configuration:
    """The effective settings, and the source of each."""

    settings: Settings
    provenance: Mapping[str, str]
    """Source of every value by its key, such as ``{"ocr.dpi": "environment OCRWATCH_OCR__DPI"}``."""
    path: Path | None
    """The TOML file that was read, absolute."""


@dataclass(slots=True)
class _Merged:
    """Merges values of several sources; later ones override earlier ones."""

    values: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)

    def add(self, values: Mapping[str, Any], source: Callable[[str], str], home: Path) -> None:
        """Add values; ``source`` names the source of a key.

        Relative folders among the values are relative to ``home``.
        """
        for key in values:
            if key not in Settings.model_fields:
                raise unknown_option((key,), source(key))
        self._merge(self.values, _anchored(values, home), source, ())

    def _merge(
        self, into: dict[str, Any], values: Mapping[str, Any], source: Callable[[str], str], at: tuple[str, ...]
    ) -> None:
        for name, value in values.items():
            key = ".".join((*at, name))
            # Sections and the tables in them are merged; anything nested deeper is invalid.
            if isinstance(value, dict) and len(at) <= 1:
                below = into.get(name)
                into[name] = dict(below) if isinstance(below, dict) else {}
                self._merge(into[name], value, source, (*at, name))
            else:
                into[name] = value
                self.provenance[key] = source(key)


class _Environment(EnvSettingsSource):
    """Reads environment variables; lists and tables are in TOML's notation."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(Settings, env_prefix=_PREFIX, env_nested_delimiter="__")
        self.env_vars = {name.lower(): value for name, value in variables.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ARG002
        return parse_value(value)


def load(
    config: Path | None,
    overrides: Mapping[str, object],
    environ: Mapping[str, str],
    *,
    only: Collection[str] | None = None,
) -> Configuration:
    """Return the effective settings.

    ``config`` is the file that the user named; if it is None, ``$OCRWATCH_CONFIG``, ``./ocrwatch.toml`` and
    ``/etc/ocrwatch/ocrwatch.toml`` are tried. ``overrides`` are the command line's values by key, such as
    ``{"settle.stable_for": "2s"}``. Relative folders in the file, and those not set anywhere, are relative to the
    file's folder; all others to the working directory. ``only`` names the values that are read from the file, such as
    ``{"state"}``: the rest of the file may be invalid.

    Raises UsageError if any of them is invalid, and EnvironmentFault if the file cannot be read.
    """
    path = _config_path(config, environ)
    here = Path.cwd()
    home = here if path is None else path.parent
    merged = _Merged(provenance=dict.fromkeys(option_keys(), "default"))
    merged.add({name: Settings.model_fields[name].default for name in _FOLDERS}, lambda _: "default", home)
    if environ.get("STATE_DIRECTORY"):
        state = environ["STATE_DIRECTORY"].split(":")[0]
        merged.add({"state": state}, lambda _: "environment STATE_DIRECTORY", here)
    if path is not None:
        values = _read(path) if only is None else _read_only(path, only)
        merged.add(values, lambda _: str(path), home)
    variables = _variables(environ)
    merged.add(
        _Environment({name: environ[name] for name in variables.values()})(),
        lambda key: f"environment {variables.get(key, _variable(key))}",
        here,
    )
    merged.add(_nested(overrides), lambda _: "command line", here)
    if only is None:
        _check_variables(environ, {*variables.values(), *_key_variables(merged.values.get("remote"))})
    try:
        settings = Settings(**merged.values)
    except ValidationError as error:
        raise wrong_value(error, merged.provenance) from error
    return Configuration(settings, merged.provenance, path)


def parse_overrides(arguments: Sequence[str]) -> dict[str, object]:
    """Return the values of ``--set`` arguments by key: ``settle.stable_for=2s``.

    Raises UsageError if one is not of the form ``key=value``.
    """
    overrides: dict[str, object] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or not all(part.strip() for part in key.split(".")):
            raise UsageError(
                f"--set {argument} is not of the form key=value", "write for example --set settle.stable_for=2s"
            )
        overrides[key.strip()] = parse_value(value.strip())
    return overrides


def parse_value(text: str) -> object:
    """Return the list, table or string that ``text`` is in TOML, else ``text`` itself.

    Numbers and booleans stay text, because only the option knows whether ``0123`` or ``2024-01-01`` is one.
    """
    if text.startswith(("[", "{", '"', "'")):
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except (ValueError, RecursionError):
            return text
    return text


def check_folders(settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
    """Raise an error for folders that must not contain each other.

    ocrwatch would read its own output, confuse originals, or expose private files.

    Links are resolved first. The UsageError names the two folders.
    """
    folders = {name: Path(os.path.realpath(getattr(settings, name))) for name in _FOLDERS}
    for one, other, too_close in _forbidden_pairs():
        if too_close(folders[one], folders[other]):
            raise UsageError(
                f"the {one} folder {folders[one]} {_relation(folders[one], folders[other])} the {other} folder "
                f"{folders[other]}",
                f"choose folders side by side for {one} and {other}",
            )
    programs = {Path(os.path.realpath(entry)) for entry in environ.get("PATH", "").split(":") if entry.startswith("/")}
    interpreters = {Path(os.path.realpath(prefix)) for prefix in (sys.prefix, sys.base_prefix)}
    for name, folder in folders.items():
        inside = {prefix for prefix in interpreters if folder.is_relative_to(prefix)}
        for place in sorted(inside | {place for place in programs | interpreters if place.is_relative_to(folder)}):
            raise UsageError(
                f"the {name} {folder} overlaps {place}, which contains programs",
                f"choose a folder for {name} that holds nothing else",
            )


def _forbidden_pairs() -> Iterator[tuple[str, str, Callable[[Path, Path], bool]]]:
    for other in _FOLDERS[1:]:
        yield "inbox", other, _overlap
    for other in ("outbox", "archive"):
        yield "quarantine", other, _overlap
    # The state may hold the others (they are then as private as it is), but must not lie open in one of them.
    for other in ("outbox", "archive", "quarantine"):
        yield "state", other, Path.is_relative_to


def _relation(one: Path, other: Path) -> str:
    if one == other:
        return "is also"
    return "lies within" if one.is_relative_to(other) else "contains"


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _config_path(config: Path | None, environ: Mapping[str, str]) -> Path | None:
    named = config or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    if named is None:
        return next((path.absolute() for path in _USUAL_FILES if _is_meant(path)), None)
    if is_missing(named):
        by = "--config" if config else CONFIG_VARIABLE
        raise UsageError(f"the configuration file {named} that {by} names does not exist", "check the path")
    return named.absolute()


def _is_meant(path: Path) -> bool:
    """Return whether a default settings file exists, False in a closed folder."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    except OSError as error:
        raise _unreadable(path, error) from error
    return True


def _read(path: Path) -> dict[str, Any]:
    remedy = "correct it there, or compare with the output of: ocrwatch config example"
    content = _text_of(path)
    try:
        return tomllib.loads(content)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not valid TOML: {error or 'nested too deeply'}", remedy) from error


def _read_only(path: Path, names: Collection[str]) -> dict[str, Any]:
    """Return some values of a file; if it is not valid TOML, only of its top level."""
    try:
        values = _read(path)
    except UsageError:
        lines = _text_of(path).splitlines()
        values = tomllib.loads("\n".join(itertools.takewhile(lambda line: not line.startswith("["), lines)))
    return {name: values[name] for name in names if name in values}


def _text_of(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if os.geteuid() == 0 and mode & _WRITABLE_BY_OTHERS:
            raise UsageError(
                f"{path} can be written by others than its owner, and ocrwatch runs as root", f"run: chmod go-w {path}"
            )
        # Before it is opened: a FIFO would wait for a writer.
        if not stat.S_ISREG(mode):
            raise UsageError(f"{path} is not a file", "name a TOML file")
        # pydantic's TOML source is not used: it treats a file that it cannot stat as empty. TOML defines line ends.
        return path.read_bytes().decode()
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8 (at byte {error.start})", "save it as UTF-8") from error


def _unreadable(path: Path, error: OSError) -> EnvironmentFault:
    """Return the error for a file that cannot be read.

    It is a fault of the environment, which a service retries: the permission may be granted at any time.
    """
    closed = remedy_for_reader(path, "let ocrwatch's user read it")
    return environment_fault(error, f"cannot read the settings file {path}", closed=closed)


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that set options, by the option's key."""
    names = {name.removeprefix(_PREFIX).lower().replace("__", "."): name for name in environ if _is_ours(name)}
    return {key: name for key, name in names.items() if is_option(key.split("."))}


def _is_ours(name: str) -> bool:
    return name.startswith(_PREFIX) and name != CONFIG_VARIABLE


def _check_variables(environ: Mapping[str, str], known: Collection[str]) -> None:
    """Raise UsageError for a variable that sets no option, and has no key of a service."""
    for name in filter(_is_ours, environ):
        if name not in known:
            key = name.removeprefix(_PREFIX).lower().replace("__", ".")
            remedy = renamed(key) or did_you_mean(name, [CONFIG_VARIABLE, *map(_variable, option_keys())])
            raise UsageError(f"the environment variable {name} sets no option", remedy or "unset it")


def _key_variables(services: object) -> Iterator[str]:
    """Yield the names of the variables with keys of services, whose options are not checked yet."""
    for service in services if isinstance(services, list) else ():
        if isinstance(service, Mapping) and isinstance(name := service.get("key_variable"), str):
            yield name


def _variable(key: str) -> str:
    return _PREFIX + key.upper().replace(".", "__")


def _nested(overrides: Mapping[str, object]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in overrides.items():
        *sections, name = key.split(".")
        table = nested
        for section in sections:
            table = table.setdefault(section, {})
            if not isinstance(table, dict):
                raise UsageError(f"command line: {key} cannot be set beside {section}", "set one of the two")
        table[name] = value
    return nested


def _anchored(values: Mapping[str, Any], home: Path) -> dict[str, Any]:
    """Make the paths among ``values`` absolute."""
    anchored: Any = values
    for path in _PATHS:
        anchored = _with_absolute(path.split("."), anchored, home)
    return dict(anchored)


def _with_absolute(path: Sequence[str], value: object, home: Path) -> object:
    """Make the path at ``path`` absolute, in each section of a list."""
    if not path:
        return _absolute(value, home)
    if isinstance(value, list):
        return [_with_absolute(path, entry, home) for entry in value]
    name, *below = path
    if not isinstance(value, Mapping) or name not in value:
        return value
    return {**value, name: _with_absolute(below, value[name], home)}


def _absolute(value: object, home: Path) -> object:
    if not isinstance(value, (str, Path)) or value == "":
        return value
    return home / os.path.expanduser(value)  # noqa: PTH111 - Path.expanduser raises where there is no home
