"""Originals that stay in the inbox although they are done (``on_success = "keep"``, duplicates, copies)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ocrwatch.ledger import facts_key
from ocrwatch.storage.facts import FileFacts
from ocrwatch.storage.files import facts_of


class KeptOriginals:
    """Tells which paths need not be read again: the file that lies there is the one that was read."""

    def __init__(self, inbox: Path, known: Mapping[str, str]) -> None:
        """``known`` has the :func:`~ocrwatch.ledger.facts_key` of each by its path."""
        self._inbox = inbox
        self._known = dict(known)

    def add(self, path: str, facts: FileFacts) -> None:
        """Take note of one more."""
        self._known[path] = facts_key(facts)

    def __contains__(self, path: str) -> bool:
        """Look at the file; called on an I/O thread."""
        key = self._known.get(path)
        if key is None:
            return False
        try:
            return key == facts_key(facts_of((self._inbox / path).lstat()))
        except OSError:
            return False
