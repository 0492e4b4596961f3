"""What must have become of each scan in the end, whatever happened to it on the way."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.fickle import FATAL
from tests.crash.scenario import Differences, EndState, Places

NOTE = "STATUS.txt"
"""What the daemon says of itself; no scan is called so."""

_BUG = "internal-error"
_DIED = "worker-died"


@dataclass
class Account:
    """The bytes that were once under a scan's name, and what their writer did to them."""

    number: int
    name: str
    """Below the inbox, after any renaming."""
    data: bytes
    code: str | None
    """What it is to be quarantined for, None where it can be read."""
    former: str | None = None
    """The name before it was renamed."""
    disturbed: str | None = None
    """``touched``, ``overwritten``, ``replaced`` or ``renamed``."""

    @property
    def may_be_missing(self) -> bool:
        """Whether its writer has put other bytes in its place; it may have been read before that."""
        return self.disturbed in {"overwritten", "replaced"}


@dataclass
class Figures:
    """What a run did and what was left after it."""

    scans: int = 0
    broken: int = 0
    disturbed: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    faults: int = 0
    late: int = 0
    """Faults of calls that were carried out all the same."""
    bad_readings: int = 0
    workers_killed: int = 0
    settings_changed: int = 0
    delivered: int = 0
    quarantined: int = 0
    suspected: int = 0
    """Quarantined, as documented, since the daemon was killed several times while they were the only scan in work."""
    left_open: int = 0
    """Files that the daemon had open in the end and not in the beginning."""
    told_twice: int = 0
    """Ends that hooks were told of more than once."""
    code: int | None = None
    seconds: float = 0.0
    differences: Differences = field(default_factory=Differences)

    @property
    def failed(self) -> bool:
        """Whether anything is not as it should be."""
        return bool(self.differences)

    def __str__(self) -> str:
        found = self.differences
        return (
            f"{self.scans} scans, {self.broken} of them broken, {dict(self.disturbed)} by their writers, in "
            f"{self.seconds:.0f} s; {self.faults} of {self.calls} calls failed ({self.late} of them after they were "
            f"carried out), {self.bad_readings} readings went wrong, {self.workers_killed} workers were killed, "
            f"settings were changed {self.settings_changed} times; "
            f"{self.delivered} delivered, {self.quarantined} quarantined ({self.suspected} of them since the daemon "
            f"was killed several times while they were the only scan in work); lost {len(found.lost)}, doubled "
            f"{len(found.doubled)}, partial {len(found.partial)}, other differences {len(found.other)}"
        )


class _Found:
    """What lies in the folders, by what it is."""

    def __init__(self, places: Places) -> None:
        self.texts: defaultdict[str, list[str]] = defaultdict(list)
        """Where each text lies."""
        self.originals: defaultdict[str, list[str]] = defaultdict(list)
        """Where the bytes with each hash lie: in the archive, the quarantine or still the inbox."""
        self.reasons: dict[str, str] = {}
        """Codes by the name of the original."""
        self.others: list[str] = []
        for path in _files(places.folder("outbox")):
            if path.name == NOTE:
                continue
            (self.texts[path.read_text()] if path.suffix == ".txt" else self.others).append(_relative(places, path))
        for name in ("archive", "quarantine", "inbox"):
            for path in _files(places.folder(name)):
                if name == "quarantine" and path.name.endswith(".reason.json"):
                    original = _relative(places, path).removesuffix(".reason.json")
                    self.reasons[original] = json.loads(path.read_text())["code"]
                else:
                    self.originals[hashlib.sha256(path.read_bytes()).hexdigest()].append(_relative(places, path))


def settle_accounts(
    figures: Figures,
    places: Places,
    accounts: list[Account],
    bad_readings: Path,
    *,
    suspects: frozenset[str] = frozenset(),
) -> None:
    """Compare what lies in the folders with what should.

    ``suspects`` are the names of scans that were the only ones in work when the daemon was killed, often enough to be
    quarantined for it.
    """
    differences, found = figures.differences, _Found(places)
    readings = [line.split(" ", 1) for line in bad_readings.read_text().splitlines()]
    fatal = {int(number) for number, way in readings if way in FATAL}
    for account in accounts:
        _settle(differences, account, found, fatal, suspects)
        figures.disturbed[account.disturbed or "left alone"] += 1
    numbers = {f"{account.number:06}\n" for account in accounts}
    hashes = {hashlib.sha256(account.data).hexdigest() for account in accounts}
    differences.partial += [path for text, paths in found.texts.items() if text not in numbers for path in paths]
    differences.partial += [path for sha, paths in found.originals.items() if sha not in hashes for path in paths]
    kept = {path for paths in found.originals.values() for path in paths}
    differences.other += [f"a reason without its scan: {path}" for path in found.reasons if path not in kept]
    differences.other += found.others
    state = EndState.of(places)
    differences.partial += state.hidden
    if state.integrity != "ok":
        differences.other.append(f"ledger: {state.integrity}")
    differences.other += [row for row in state.rows if " delivered" not in row and " quarantined" not in row]
    differences.other += _complaints(places.base / "output.log")
    if figures.code != 0:
        differences.other.append(f"the daemon ended with {figures.code}")
    if figures.left_open > 0:
        differences.other.append(f"{figures.left_open} files were left open")
    if figures.told_twice > 0:
        differences.other.append(f"hooks were told of {figures.told_twice} ends twice")
    figures.scans, figures.broken = len(accounts), sum(account.code is not None for account in accounts)
    figures.bad_readings = len(readings)
    figures.delivered = sum(len(paths) for paths in found.texts.values())
    figures.quarantined = len(found.reasons)
    figures.suspected = sum(code == _DIED for code in found.reasons.values())


def _settle(
    differences: Differences, account: Account, found: _Found, fatal: set[int], suspects: frozenset[str]
) -> None:
    texts = found.texts[f"{account.number:06}\n"]
    originals = found.originals[hashlib.sha256(account.data).hexdigest()]
    what = f"{account.name} ({account.disturbed or account.code or 'good'}): {', '.join([*texts, *originals])}"
    if len(texts) > 1 or len(originals) > 1:
        differences.doubled.append(what)
    elif originals[0].startswith("inbox") if originals else not account.may_be_missing:
        differences.lost.append(what)
    elif originals and originals[0].startswith("quarantine"):
        code = found.reasons.get(originals[0])
        expected = {account.code} if account.code else ({_BUG} if account.number in fatal else set())
        if account.name in suspects:
            expected.add(_DIED)
        if texts:
            differences.doubled.append(what)
        elif code not in expected:
            differences.other.append(f"{what}, quarantined as {code}")
    elif originals and account.code:
        differences.other.append(f"{what}, and should be quarantined as {account.code}")
    elif originals and [_stem(text) for text in texts] != [_stem(originals[0])]:
        differences.lost.append(f"{what}, and should be a text and an original of one name")


def _stem(path: str) -> str:
    return os.path.splitext(path.split("/", 1)[1])[0]


def _complaints(log: Path) -> list[str]:
    """Return what the daemon said of bugs of its own, and what it said that is no event."""
    complaints: list[str] = []
    for line in log.read_text(errors="backslashreplace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            complaints.append(line)
            continue
        if event["event"] in {"daemon.failed", "log.warning"} or (
            event["event"] == "scan.failed" and "exception" in event
        ):
            complaints.append(line)
    return complaints


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if not path.is_dir() and not path.name.startswith(".")]


def _relative(places: Places, path: Path) -> str:
    return str(path.relative_to(places.base))
