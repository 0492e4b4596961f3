"""Kills ``ocrwatch run`` and its workers at random moments while feeders save pages, and settles the accounts of each.

``python -m tests.crash.document_kills --kills 100`` prints the figures; it exits with 1 if a page was lost, doubled or
left half done, or is not in one document.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from tests.crash.command import carry_out
from tests.crash.random_kills import DRAIN_TIMEOUT, MOST_WAITING, live, running, starts_of, wait_until_empty
from tests.crash.scenario import Differences, Places, scans_in
from tests.daemon_process import PROGRAM, clean_environment
from tests.document_accounts import documents_in, settle_accounts
from tests.feeder import Sheet, install, settings, stack
from tests.waiting import until

FINE, SOME_QUARANTINED = 0, 1
LONGEST_LIFE = 4.0
_MOST_PAGES = 8
_MARKS = 40
"""Most marks on a sheet; there are as many different ones."""
_ODD = 0.1
"""Share of the sheets that are blank, and of those that are broken."""


@dataclass
class Figures:
    """What a storm did and what was left after it."""

    kills: int
    worker_kills: int = 0
    sheets: list[Sheet] = field(default_factory=list)
    batches: int = 0
    documents: int = 0
    seconds: float = 0.0
    differences: Differences = field(default_factory=Differences)

    @property
    def failed(self) -> bool:
        """Whether anything is not as it should be."""
        return bool(self.differences)

    def __str__(self) -> str:
        found = self.differences
        kinds = {kind: sum(sheet.kind == kind for sheet in self.sheets) for kind in ("blank", "broken")}
        return (
            f"{self.kills} kills of the daemon and {self.worker_kills} of workers in {self.seconds:.0f} s, "
            f"{len(self.sheets)} pages ({kinds['blank']} blank, {kinds['broken']} broken) of {self.batches} batches in "
            f"{self.documents} documents; lost {len(found.lost)}, doubled {len(found.doubled)}, "
            f"partial {len(found.partial)}, other differences {len(found.other)}"
        )


class Feeders:
    """Two scanners that save batches of pages into an inbox, in turns and in any order."""

    def __init__(self, inbox: Path, interval: float, seed: int) -> None:
        self.sheets: list[Sheet] = []
        self.batches = 0
        self._inbox = inbox
        self._interval = interval
        self._chance = random.Random(seed)
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._feed, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def _feed(self) -> None:
        while not self._enough.is_set():
            pages = [*self._batch(), *self._batch()]
            self._chance.shuffle(pages)
            for sheet in pages:
                while len(scans_in(self._inbox)) >= MOST_WAITING and not self._enough.wait(self._interval):
                    pass
                # What was begun is not left: a document may have any pages, and all must be in one.
                self._save(sheet)
                self._enough.wait(self._interval)

    def _batch(self) -> list[Sheet]:
        self.batches += 1
        folder = self._chance.choice(["", "sub/", "sub/below/"])
        count = self._chance.randint(1, _MOST_PAGES)
        numbers = [self._chance.randint(1, _MARKS) for _ in range(count)]
        return [self._odd(sheet) for sheet in stack(f"{folder}batch{self.batches:04}", numbers)]

    def _odd(self, sheet: Sheet) -> Sheet:
        chance = self._chance.random()
        if chance < _ODD:
            return replace(sheet, number=0, kind="blank")
        return replace(sheet, kind="broken") if chance < 2 * _ODD else sheet

    def _save(self, sheet: Sheet) -> None:
        path = self._inbox / sheet.path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.sheets.append(sheet)
        if len(self.sheets) % 2:
            path.write_bytes(sheet.data)
        else:
            unfinished = path.with_name(f".{path.name}.part")
            unfinished.write_bytes(sheet.data)
            unfinished.rename(path)


def storm(
    folder: Path,
    kills: int,
    *,
    seed: int,
    on_success: str = "archive",
    interval: float = 0.04,
    longest_life: float = LONGEST_LIFE,
) -> Figures:
    """Kill ``kills`` times, let the last daemon finish, close what is open, and settle the accounts."""
    chance = random.Random(seed)
    places = Places(folder / "run", folder / "run")
    for name in ("inbox", "outbox", "archive", "quarantine"):
        places.folder(name).mkdir(parents=True)
    more = '[workers]\ncount = 2\n[batch]\nquiet = "50ms"'
    config = settings("txt", "json", "pdf", quiet="700ms", top=f'on_success = "{on_success}"', more=more)
    (places.base / "ocrwatch.toml").write_text(config)
    (places.base / "ocrwatch.toml").chmod(0o644)
    environment = clean_environment(install(folder / "engine"))
    figures = Figures(kills)
    began = time.monotonic()
    with Feeders(places.folder("inbox"), interval, seed) as feeders:
        for _ in range(kills):
            with running(places, environment) as daemon:
                figures.worker_kills += live(daemon, chance, longest_life)
    figures.sheets, figures.batches = feeders.sheets, feeders.batches
    started = starts_of(places)
    with running(places, environment) as daemon:
        until(lambda: daemon.poll() is not None or starts_of(places) > started, DRAIN_TIMEOUT, "the last start")
        wait_until_empty(places.folder("inbox"), daemon)
        daemon.send_signal(signal.SIGTERM)
        code = daemon.wait(60)
    # The last documents may not have been quiet for long enough.
    with (places.base / "output.log").open("ab") as output:
        closed = subprocess.run(
            [*PROGRAM, "once"],
            cwd=places.base,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=DRAIN_TIMEOUT,
            check=False,
        )
    figures.seconds = time.monotonic() - began
    figures.differences = settle_accounts(places, figures.sheets, on_success=on_success)
    figures.documents = len(documents_in(places.folder("outbox")))
    if code != FINE or closed.returncode not in {FINE, SOME_QUARANTINED}:
        figures.differences.other.append(f"the last two ended with {code} and {closed.returncode}")
    return figures


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.document_kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--on-success", choices=["archive", "delete"], default="archive")
    parser.add_argument(
        "--longest-life", type=float, default=LONGEST_LIFE, help="seconds to the kill; more if starts are slow"
    )
    return carry_out(
        parser,
        "document-storm",
        lambda folder, options: storm(
            folder,
            options.kills,
            seed=options.seed,
            on_success=options.on_success,
            longest_life=options.longest_life,
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
