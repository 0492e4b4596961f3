"""Whatever a scan is called, its text and its original are found under names of their own."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ocrwatch.delivery.chosen_names import Fate, Places
from ocrwatch.delivery.step_order import Delivered, Deliverer, Work
from ocrwatch.ledger import Ledger
from ocrwatch.quarantine.reason_file import REASON_ENDING
from ocrwatch.storage.files import NAME_MAX, facts_of

ENDINGS = ("json", "txt")
_PARTS = st.binary(min_size=1, max_size=12) | st.sampled_from(
    [
        b"scan",
        b"-2",
        b"-3",
        b".txt",
        b".json",
        b".reason.json",
        b".jpg",
        b" ",
        b"\xc3\xa9" * 60,
        b"a" * 243,
        b"\xff" * 90,
    ]
)
_NAMES = st.lists(_PARTS, min_size=1, max_size=4).map(
    lambda parts: b"".join(parts).translate(None, b"/\0")[: NAME_MAX - 5].lstrip(b".") or b"x"
)
_SUFFIXES = st.sampled_from([b".jpg", b".JPEG", b".jpe", b""])
_FILES = st.lists(st.tuples(_NAMES, _SUFFIXES).map(b"".join).map(os.fsdecode), min_size=1, max_size=6)


@given(_FILES, st.sampled_from(["", "sub"]), st.sampled_from(["archive", "quarantine", "keep"]))
@settings(max_examples=60, deadline=None)
def test_every_name_ends_under_names_of_its_own(names: list[str], subfolder: str, fate: Fate) -> None:
    """Names are valid, no two scans share one, and each holds what it should; also where scans come again and again."""
    with tempfile.TemporaryDirectory() as home:
        root = Path(home)
        places = Places(*(root / name for name in ("inbox", "outbox", "archive", "quarantine")))
        for folder in (places.inbox / subfolder, places.outbox, places.archive, places.quarantine, root / "state"):
            folder.mkdir(parents=True)
        ledger = Ledger(root / "state")
        try:
            deliverer = Deliverer(places, ledger, ENDINGS)
            seen: set[tuple[str, str]] = set()
            for number, name in enumerate(names):
                path = f"{subfolder}/{name}" if subfolder else name
                delivered = _deliver(places, ledger, deliverer, path, fate, number)
                text = "quarantine" if fate == "quarantine" else "outbox"
                fresh = {(text, sidecar) for sidecar in delivered.sidecars}
                if delivered.original is not None:
                    fresh.add((fate, delivered.original))
                assert not fresh & seen
                seen |= fresh
                assert all(len(os.fsencode(part)) <= NAME_MAX for _, new in fresh for part in new.split("/"))
                assert all(new.startswith(f"{subfolder}/") for _, new in fresh if subfolder)
            assert not list(root.rglob(".ocrwatch-*"))
        finally:
            ledger.close()


def _deliver(places: Places, ledger: Ledger, deliverer: Deliverer, path: str, fate: Fate, number: int) -> Delivered:
    data = b"scan %d" % number
    original = places.inbox / path
    original.write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    facts = facts_of(original.stat())
    endings = (REASON_ENDING,) if fate == "quarantine" else ENDINGS
    contents = tuple((ending, b"%s of scan %d" % (ending.encode(), number)) for ending in endings)
    row = ledger.begin(path, facts, sha256)
    delivered = deliverer.deliver(Work(row.id, path, facts, sha256, fate, contents))
    target = places.quarantine if fate == "quarantine" else places.archive
    text = places.quarantine if fate == "quarantine" else places.outbox
    for sidecar, (_, content) in zip(delivered.sidecars, contents, strict=True):
        assert (text / sidecar).read_bytes() == content
    if fate == "keep":
        assert original.read_bytes() == data
    else:
        assert delivered.original is not None
        assert (target / delivered.original).read_bytes() == data
        assert not os.path.lexists(original)
    return delivered
