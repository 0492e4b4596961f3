"""Checks remote OCR services: which scans leave this machine, how they are sent, and whether each service reads."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import Final, Protocol
from urllib.parse import urlsplit

from ocrwatch.checks import machine, startup
from ocrwatch.checks.finding import Finding
from ocrwatch.errors import OcrwatchError
from ocrwatch.settings import Remote, Settings

_LONGEST_SHOWN: Final = 60


class Trial(Protocol):
    """What a service has read on a trial picture (:mod:`ocrwatch.executors.http_ocr.trial`)."""

    @property
    def text(self) -> str:
        """What it has read."""

    @property
    def seconds(self) -> float:
        """How long it took."""

    @property
    def is_right(self) -> bool:
        """Whether it is what the picture says."""


def services(settings: Settings, ask: Callable[[Remote], Trial]) -> Iterator[Finding]:
    """Check all services. ``ask`` has one read a picture, and raises :class:`OcrwatchError`."""
    if not settings.remote:
        return
    try:
        startup.check_remote(settings)
    except OcrwatchError as error:
        yield Finding("services", "problem", error.message, error.remedy)
        return
    for remote in settings.remote:
        yield from _destinations(settings, remote)
        yield from _encryption(remote)
        if remote.key_file is not None:
            yield from machine.exposed(f"{_subject(remote)} key_file", remote.key_file)
        if not is_unused(settings, remote):
            yield _tried(settings, remote, ask)


def is_unused(settings: Settings, remote: Remote) -> bool:
    """Return whether no engine names a service."""
    return not any(remote.engine in {*ocr.engine, ocr.second} for ocr in settings.all_ocr)


def _destinations(settings: Settings, remote: Remote) -> Iterator[Finding]:
    """Say which scans are sent to a service."""
    where = f"{remote.host} (this machine)" if _is_here(remote) else f"{remote.host}: they leave this machine"
    if is_unused(settings, remote):
        remedy = f'set ocr.engine or ocr.second to "{remote.engine}", or remove the service'
        yield Finding(_subject(remote), "warning", "no engine names it: nothing is sent to it", remedy)
    for which, condition in (
        (_scans(settings, lambda engines, _: engines[0] == remote.engine), ""),
        (_scans(settings, lambda engines, _: remote.engine in engines[1:]), " that engines before it do not read"),
        (_scans(settings, lambda _, second: second == remote.engine), " that were not read well"),
    ):
        if which:
            yield Finding(_subject(remote), "fine", f"{which}{condition} are sent to {where}")


def _scans(settings: Settings, is_sent: Callable[[tuple[str, ...], str], bool]) -> str:
    """Name the scans for whose engines something holds, empty if there are none."""
    names = [""] + [profile.name or profile.match for profile in settings.profiles]
    found = [name for name, ocr in zip(names, settings.all_ocr, strict=True) if is_sent(ocr.engine, ocr.second)]
    if len(found) == len(names):
        return "all scans"
    profiles = list(dict.fromkeys(name for name in found if name))
    several = "s" if len(profiles) > 1 else ""
    of_profiles = f"scans of the profile{several} {', '.join(profiles)}" if profiles else ""
    return " and ".join(filter(None, ("scans without a profile" if "" in found else "", of_profiles)))


def _encryption(remote: Remote) -> Iterator[Finding]:
    if urlsplit(remote.url).scheme == "http" and not _is_here(remote):
        has_key = remote.key_file is not None or remote.key_variable is not None
        yield Finding(
            _subject(remote),
            "warning",
            f"scans{' and the key' if has_key else ''} travel unencrypted to {remote.host}",
            "use https, or a tunnel such as WireGuard or ssh -L",
        )


def _is_here(remote: Remote) -> bool:
    host = urlsplit(remote.url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _tried(settings: Settings, remote: Remote, ask: Callable[[Remote], Trial]) -> Finding:
    """Have a service read a picture. It is a problem if nothing else would read some of the scans."""
    try:
        trial = ask(remote)
    except OcrwatchError as error:
        alone = any(ocr.engine == (remote.engine,) for ocr in settings.all_ocr)
        return Finding(_subject(remote), "problem" if alone else "warning", error.message, error.remedy)
    if trial.is_right:
        return Finding(_subject(remote), "fine", f"it has read a test picture in {trial.seconds:.1f} s")
    read = " ".join(trial.text.split())
    shown = read if len(read) <= _LONGEST_SHOWN else f"{read[:_LONGEST_SHOWN]}…"
    return Finding(
        _subject(remote),
        "warning",
        f"it has read a test picture wrongly: {shown or 'nothing'}",
        "see its languages and options, and whether preset is the right one",
    )


def _subject(remote: Remote) -> str:
    return f"service {remote.name}"
