"""Who can write to the inbox or the outbox can neither lead the daemon elsewhere nor stop it, however fast he is."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess
from tests.system.dropping import (
    BY_EVENTS,
    delivered,
    emptied,
    files,
    only_once,
    phrase,
    put,
    scan,
    temporary_files,
    text_of,
)
from tests.system.swapping import exchanged_in_a_loop, replaced_in_a_loop
from tests.waiting import until

EAGER = """
[watch]
mode = "inotify"
rescan = "500ms"
[settle]
stable_for = "0s"
stable_for_closed = "0s"
[batch]
quiet = "0s"
max_wait = "0s"
"""
"""Settings that leave the least time between a swap and what the daemon does."""

SECRET = 19
"""The number of a scan that lies outside and must never be read."""

TURNS = 200
"""How often the daemon has to have taken a scan to its end, good or not, while names are swapped."""


def _ends(daemon: DaemonProcess) -> int:
    return sum(len(daemon.events(name)) for name in ("scan.delivered", "scan.changed", "scan.quarantined"))


def _secret(folder: Path) -> Path:
    return put(folder / "private", "secret.jpg", scan(SECRET))


def _nothing_leaked(daemon: DaemonProcess, secret: Path) -> None:
    assert secret.read_bytes() == scan(SECRET)
    assert files(secret.parent) == {"secret.jpg"}
    for sidecar in daemon.outbox.rglob("*.txt"):
        assert phrase(SECRET) not in " ".join(sidecar.read_text(encoding="utf-8").split())
    for kept in (*daemon.archive.rglob("*.jpg"), *daemon.quarantine.rglob("*.jpg")):
        assert not kept.is_symlink()
        assert kept.read_bytes() != scan(SECRET)
    assert not temporary_files(daemon)


def _texts_match_originals(daemon: DaemonProcess, *numbers: int) -> None:
    """Check that beside each text lies the original that it was read from, where there is one."""
    for sidecar in daemon.outbox.rglob("*.txt"):
        text = " ".join(sidecar.read_text(encoding="utf-8").split())
        assert text in {phrase(number) for number in numbers}
        original = daemon.archive / sidecar.relative_to(daemon.outbox).with_suffix(".jpg")
        if original.exists():
            (number,) = [number for number in numbers if original.read_bytes() == scan(number)]
            assert text == phrase(number)


def test_scan_that_is_swapped_for_links_and_other_scans(tmp_path: Path) -> None:
    """A name that is a scan, a link to a secret and another scan in turn never yields the secret nor a wrong text."""
    secret = _secret(tmp_path)
    spare = tmp_path / "spare"
    one, other = put(spare, "one.jpg", scan(1)), put(spare, "other.jpg", scan(2))
    link = spare / "link.jpg"
    link.symlink_to(secret)
    with DaemonProcess(tmp_path, config=EAGER) as daemon:
        daemon.wait_ready()
        with replaced_in_a_loop(daemon.inbox / "x.jpg", one, link, other):
            until(lambda: _ends(daemon) >= TURNS or daemon.process.poll() is not None, 60, "scans come to an end")
        until(lambda: not [name for name in files(daemon.inbox) if not (daemon.inbox / name).is_symlink()], 40)
        assert daemon.stop() == 0
        assert daemon.events("scan.delivered")
        _nothing_leaked(daemon, secret)
        _texts_match_originals(daemon, 1, 2)
        assert (one.read_bytes(), other.read_bytes()) == (scan(1), scan(2))
        assert not daemon.events("scan.failed")


def test_subfolder_that_is_swapped_for_a_link_to_outside(tmp_path: Path) -> None:
    """A subfolder of the inbox that is a link to elsewhere every other moment never leads the daemon there."""
    secret = _secret(tmp_path)
    with DaemonProcess(tmp_path, config=EAGER) as daemon:
        daemon.wait_ready()
        folder, link = daemon.inbox / "sub", tmp_path / "link"
        folder.mkdir()
        link.symlink_to(secret.parent)
        names = [f"page{number}.jpg" for number in range(12)]
        for name in ("secret.jpg", *names):
            put(folder, name, scan(3))
        with exchanged_in_a_loop(folder, link):
            until(lambda: len(daemon.events("scan.delivered")) >= 3, 60, "some are read all the same")
        if not folder.is_symlink():
            folder.rename(tmp_path / "real")
        else:
            folder.unlink()
            link.rename(tmp_path / "real")
        (tmp_path / "real").rename(folder)
        # A scan that was set aside when its folder was away is tried again after half a minute.
        emptied(daemon.inbox, 90)
        assert daemon.stop() == 0
        _nothing_leaked(daemon, secret)
        _texts_match_originals(daemon, 3)
        assert len(list(daemon.archive.rglob("*.jpg"))) == len(names) + 1
        assert {path.name for path in daemon.outbox.rglob("*.txt")} >= {
            name.replace(".jpg", ".txt") for name in ("secret.jpg", *names)
        }


def test_subfolder_of_the_outbox_that_is_swapped_for_a_link(tmp_path: Path) -> None:
    """A folder in the outbox that is a link every other moment leads no text elsewhere and loses none."""
    outside = tmp_path / "outside"
    outside.mkdir()
    with DaemonProcess(tmp_path, config=EAGER) as daemon:
        daemon.wait_ready()
        folder, link = daemon.outbox / "sub", tmp_path / "link"
        folder.mkdir()
        link.symlink_to(outside)
        names = [f"page{number}.jpg" for number in range(12)]
        with exchanged_in_a_loop(folder, link):
            for name in names:
                put(daemon.inbox / "sub", name, scan(4))
            until(lambda: len(daemon.events("scan.delivered")) >= 4, 60, "some are delivered all the same")
        if folder.is_symlink():
            folder.unlink()
            link.rename(folder)
        emptied(daemon.inbox)
        for name in names:
            daemon.wait_for("scan.delivered", path=f"sub/{name}")
        assert daemon.stop() == 0
        assert not files(outside)
        assert not temporary_files(daemon)
        for event in daemon.events("scan.delivered"):
            assert [text_of(daemon, sidecar) for sidecar in event["sidecars"]] == [phrase(4)]
        assert len(files(daemon.outbox)) == len(files(daemon.archive)) == len(names)


def test_things_that_block_readers_take_turns_with_a_scan(tmp_path: Path) -> None:
    """A FIFO, a socket and a device that take turns with a scan under one name hold up no neighbour."""
    spare = tmp_path / "spare"
    things = [put(spare, "one.jpg", scan(5))]
    for name, kind, device in (("fifo", 0o010600, 0), ("socket", 0o140600, 0), ("device", 0o020600, os.makedev(1, 3))):
        if kind != 0o020600 or os.geteuid() == 0:
            os.mknod(spare / name, kind, device)
            things.append(spare / name)
    with DaemonProcess(tmp_path, config=EAGER) as daemon:
        daemon.wait_ready()
        with replaced_in_a_loop(daemon.inbox / "x.jpg", *things):
            for number in range(10):
                put(daemon.inbox, f"neighbour{number}.jpg", scan(number))
                delivered(daemon, f"neighbour{number}.jpg", number)
        assert daemon.stop() == 0
        _texts_match_originals(daemon, *range(10))
        assert not [path for path in daemon.archive.rglob("*") if not path.is_file()]


def _junk_names(count: int) -> list[str]:
    chance = random.Random(4)
    alphabet = [byte for byte in range(1, 256) if byte not in b"/."]
    return [
        os.fsdecode(b"j" + bytes(chance.choices(alphabet, k=chance.randint(1, 240))) + b"%d.jpg" % number)
        for number in range(count)
    ]


def test_junk_under_2000_names_holds_up_no_scan(tmp_path: Path) -> None:
    """Two thousand links and FIFOs under names of any bytes stay where they are, while scans are read."""
    names = _junk_names(2000)
    (tmp_path / "inbox").mkdir()
    for number, name in enumerate(names):
        if number % 2:
            (tmp_path / "inbox" / name).symlink_to("/dev/zero")
        else:
            os.mkfifo(tmp_path / "inbox" / name)
    with DaemonProcess(tmp_path, config=EAGER) as daemon:
        put(daemon.inbox, "scan.jpg", scan(6))
        delivered(daemon, "scan.jpg", 6)
        until(lambda: len(daemon.events("scan.ignored")) >= len(names), what="all are named in the log")
        assert {event["path"] for event in daemon.events("scan.ignored")} == set(names)
        assert len(daemon.events("scan.ignored")) == len(names)
        assert not daemon.complaints
        assert files(daemon.inbox) == set(names)


def test_files_that_never_get_whole_keep_out_no_scan(tmp_path: Path, unprivileged: tuple[str, ...]) -> None:
    """However many files wait for their writers or for permission, scans that come later are read."""
    (tmp_path / "inbox").mkdir()
    for number in range(2000):
        os.close(os.open(tmp_path / "inbox" / f"a{number}.jpg", os.O_CREAT | os.O_WRONLY, 0 if number % 2 else 0o600))
    with DaemonProcess(tmp_path, config=EAGER, wrapper=unprivileged) as daemon:
        daemon.wait_ready()
        until(lambda: len(daemon.events("scan.waiting")) >= 2000, 40, "all are known")
        put(daemon.inbox, "scan.jpg", scan(7))
        daemon.wait_for("scan.delivered", path="scan.jpg")


def test_hard_links_of_one_file_are_scans_of_their_own(tmp_path: Path) -> None:
    """Twenty names of one file, in two folders, give twenty texts and twenty originals, each once."""
    outside = put(tmp_path, "original.jpg", scan(8))
    names = [f"{folder}name{number}.jpg" for folder in ("", "sub/") for number in range(10)]
    (tmp_path / "inbox" / "sub").mkdir(parents=True)
    for name in names:
        os.link(outside, tmp_path / "inbox" / name)
    with DaemonProcess(tmp_path) as daemon:
        for name in names:
            delivered(daemon, name, 8)
            only_once(daemon, name)
        assert files(daemon.archive) == set(names)
        assert len(files(daemon.outbox)) == len(names)
        assert outside.read_bytes() == scan(8)


def test_folders_nested_very_deep_stop_nobody(tmp_path: Path) -> None:
    """A folder in a folder in a folder, 1,100 deep, neither ends the daemon nor keeps scans from being read."""
    with DaemonProcess(tmp_path, config=EAGER) as daemon:
        daemon.wait_ready()
        _nest(daemon.inbox, 1100)
        try:
            put(daemon.inbox / "later", "scan.jpg", scan(3))
            delivered(daemon, "later/scan.jpg", 3)
            assert daemon.stop() == 0
        finally:
            # Python's own way of removing it, which pytest would use later, gives up at such depths.
            subprocess.run(["rm", "-rf", daemon.inbox / "d"], check=True)


def test_folders_nested_very_deep_do_not_end_the_events(tmp_path: Path) -> None:
    """After very deep folders came, a new scan is still noticed by itself, not only by the next look."""
    with DaemonProcess(tmp_path, *BY_EVENTS, "--set", "watch.rescan=1h") as daemon:
        daemon.wait_ready()
        deep = tmp_path / "deep"
        deep.mkdir()
        _nest(deep, 1100)
        try:
            deep.rename(daemon.inbox / "deep")
            put(daemon.inbox, "scan.jpg", scan(3))
            daemon.wait_for("scan.delivered", path="scan.jpg", timeout=15)
        finally:
            subprocess.run(["rm", "-rf", daemon.inbox / "deep"], check=True)


def _nest(folder: Path, depth: int) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)


INJECTION = 'x\n2026-01-01T00:00:00Z [info] scan.delivered path=forged.jpg\r\x1b[2J\x1b]0;title\x07 "} {\\'


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_names_cannot_forge_log_lines(tmp_path: Path, log_format: str) -> None:
    """Each event is one line without control characters, whatever is in a name; none begins inside a name."""
    with DaemonProcess(tmp_path, f"--set=log.format={log_format}", config=EAGER) as daemon:
        until(lambda: "daemon.ready" in _raw(daemon), what="it is ready")
        put(daemon.inbox, f"{INJECTION}.jpg", scan(9))
        (daemon.inbox / f"{INJECTION}-link.jpg").symlink_to("/nowhere")
        put(daemon.inbox, f"{INJECTION}/inner.jpg", scan(1).replace(b"\xff\xc0", b"\xff\xc3", 1))
        until(lambda: "scan.delivered" in _raw(daemon) and "scan.quarantined" in _raw(daemon), 40)
        assert daemon.stop() == 0
        if log_format == "json":
            assert not daemon.complaints
        for line in daemon.complaints:
            assert line.isprintable(), repr(line)
            assert not line.startswith("2026-01-01"), line


def _raw(daemon: DaemonProcess) -> str:
    return "\n".join([*daemon.complaints, *(str(event["event"]) for event in daemon.events())])
