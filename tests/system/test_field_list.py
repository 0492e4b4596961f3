"""Fields as they leave the daemon: in fields.csv, in notifications, and nowhere else."""

from __future__ import annotations

import contextlib
import csv
from pathlib import Path

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.keeping_facts import hook_program, kept_facts
from tests.rendering import render
from tests.system.disks import disk_for
from tests.system.dropping import files, put, temporary_files
from tests.waiting import until

PROFILE = """
[log]
level = "debug"
[output]
mode = "0640"
[[profiles]]
match = "**"
name = "orders"
[[profiles.fields]]
name = "customer"
pattern = 'customer (\\w+)'
required = true
[[profiles.fields]]
name = "order"
pattern = 'order (\\d+)'
required = true
"""
VALUE = "Zanzibar"
SCAN = render(f"Customer {VALUE}\nThe goods were sent in June", size=40)
REASON = "required field order is missing"


def rows_of(place: Path) -> list[dict[str, str]]:
    """Return the lines of a list."""
    with place.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def with_hook(folder: Path, config: str) -> str:
    """Return settings with a program that keeps the facts of each delivery."""
    (folder / "delivered").mkdir()
    return config + f'[hooks]\ndelivered = ["{hook_program(folder, "keep")}", "{folder / "delivered"}", "told"]\n'


def test_a_scan_with_fields_has_a_line_in_the_list_of_its_folder(tmp_path: Path) -> None:
    """It is there before the scan is logged as delivered; the second scan of a name has its own."""
    with DaemonProcess(tmp_path, config=PROFILE) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "sub/a.jpg", SCAN)
        event = daemon.wait_for("scan.delivered", path="sub/a.jpg")
        (row,) = rows_of(daemon.outbox / "sub/fields.csv")
        assert row.pop("read_at").startswith("20")
        assert row == {
            "file": "a.jpg",
            "customer": VALUE,
            "customer_standing": "read",
            "order": "",
            "order_standing": "missing",
        }
        assert (event["field_standings"], event["review_reasons"]) == ("1 read, 1 missing", [REASON])
        put(daemon.inbox, "sub/a.jpg", SCAN)
        daemon.wait_for("scan.delivered", path="sub/a.jpg", count=2)
        put(daemon.inbox, "b.jpg", SCAN)
        daemon.wait_for("scan.delivered", path="b.jpg")
        assert daemon.stop() == 0
    assert [row["file"] for row in rows_of(daemon.outbox / "sub/fields.csv")] == ["a.jpg", "a-2.jpg"]
    assert [row["file"] for row in rows_of(daemon.outbox / "fields.csv")] == ["b.jpg"]
    assert (daemon.outbox / "fields.csv").stat().st_mode & 0o777 == 0o640
    assert not temporary_files(daemon)


def test_no_value_is_logged_or_recorded(tmp_path: Path) -> None:
    """Neither by the log at its lowest level, nor in the state folder but for the cache, nor to the share's users.

    Programs are told names and standings.
    """
    config = with_hook(tmp_path, PROFILE)
    with DaemonProcess(tmp_path, config=config, environment={"OCRWATCH_STATUS__SHARE_FILE": "true"}) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "a.jpg", SCAN)
        daemon.wait_for("scan.delivered", path="a.jpg")
        until(lambda: kept_facts(tmp_path / "delivered"), what="a notification")
        until((daemon.outbox / "STATUS.txt").exists, what="a STATUS.txt")
        answers = [run_ocrwatch(tmp_path, *words.split()).stdout for words in ("status --json", "review", "why a.jpg")]
        seen = {place: place.read_bytes() for place in tmp_path.rglob("*") if place.is_file()}
        assert daemon.stop() == 0
        assert VALUE not in f"{daemon.events()} {daemon.complaints} {daemon.output}"
        assert daemon.events("scan.closed")
    (facts,) = kept_facts(tmp_path / "delivered")
    assert facts["fields"] == [
        {"name": "customer", "standing": "read", "required": True},
        {"name": "order", "standing": "missing", "required": True},
    ]
    assert facts["review_reasons"] == [REASON]
    assert VALUE.encode() in seen[daemon.outbox / "fields.csv"]
    allowed = {daemon.outbox / name for name in ("fields.csv", "a.txt")}
    seen |= {place: place.read_bytes() for place in tmp_path.rglob("*") if place.is_file()}
    found = {place for place, content in seen.items() if VALUE.encode() in content}
    assert {place for place in found - allowed if not place.name.startswith("cache.db")} == set()
    assert not any(VALUE in answer for answer in answers)
    assert daemon.outbox / "STATUS.txt" in seen


def test_values_are_told_if_the_settings_say_so(tmp_path: Path) -> None:
    """And the list is not written if they say that; a page from the cache has the same fields."""
    config = (
        with_hook(tmp_path, PROFILE.replace("[output]\n", "[output]\nfields_csv = false\n")) + "field_values = true\n"
    )
    with DaemonProcess(tmp_path, config=config) as daemon:
        daemon.wait_ready()
        for name in ("a.jpg", "b.jpg"):
            put(daemon.inbox, name, SCAN)
            daemon.wait_for("scan.delivered", path=name)
        until(lambda: len(kept_facts(tmp_path / "delivered")) == 2, what="two notifications")
        assert daemon.stop() == 0
    for facts in kept_facts(tmp_path / "delivered"):
        assert [each["value"] for each in facts["fields"]] == [VALUE, None]
    assert files(daemon.outbox) == {"a.txt", "b.txt"}


def test_a_list_that_a_person_saved_in_another_notation_is_kept(tmp_path: Path) -> None:
    """The next scans have lines in another list."""
    with DaemonProcess(tmp_path, config=PROFILE) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "a.jpg", SCAN)
        daemon.wait_for("scan.delivered", path="a.jpg")
        place = daemon.outbox / "fields.csv"
        saved = place.read_text("utf-8-sig").replace(",", ";").encode("cp1252")
        place.write_bytes(saved)
        put(daemon.inbox, "b.jpg", SCAN)
        daemon.wait_for("scan.delivered", path="b.jpg")
        assert daemon.stop() == 0
    assert place.read_bytes() == saved
    assert [row["file"] for row in rows_of(daemon.outbox / "fields-2.csv")] == ["b.jpg"]


def test_full_disk_is_waited_out(tmp_path: Path) -> None:
    """Even if the daemon is killed meanwhile, each scan has its line once when there is room."""
    with disk_for(tmp_path / "outbox"):
        with DaemonProcess(tmp_path, config=PROFILE) as daemon:
            daemon.wait_ready()
            put(daemon.inbox, "a.jpg", SCAN)
            daemon.wait_for("scan.delivered", path="a.jpg")
            filler = daemon.outbox / "filler"
            with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while file.write(bytes(1 << 12)):
                    pass
            for number in range(3):
                put(daemon.inbox, f"b{number}.jpg", SCAN)
            daemon.wait_for("daemon.paused")
            daemon.kill()
        with DaemonProcess(tmp_path) as daemon:
            daemon.wait_for("daemon.paused")
            filler.unlink()
            until(lambda: len(list(daemon.archive.glob("b*.jpg"))) == 3, what="all scans in the archive")
            assert daemon.stop() == 0
        names = [row["file"] for row in rows_of(daemon.outbox / "fields.csv")]
        assert sorted(names) == ["a.jpg", "b0.jpg", "b1.jpg", "b2.jpg"]
        assert not temporary_files(daemon)
