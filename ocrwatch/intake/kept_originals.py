"""Originals that stay in the inbox when done (``on_success = "keep"``, duplicates, copies)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ocrwatch.ledger import facts_key
from ocrwatch.storage.file_facts import FileFacts
from ocrwatch.storage.files import facts_of


class KeptOriginals:
    """Knows which paths need not be read again: their file is the one that was read."""

    def __init__(self, inbox: Path, known: Mapping[str, str]) -> None:
        """``known`` maps paths to the :func:`~ocrwatch.ledger.facts_key` of their files."""
        self._inbox = inbox
        self._known = dict(known)

    def add(self, path: str, facts: FileFacts) -> None:
        """Add an original."""
        self._known[path] = facts_key(facts)

    def forget(self, paths: Iterable[str]) -> None:
        """Forget originals that are gone."""
        for path in paths:
            self._known.pop(path, None)

    def __contains__(self, path: str) -> bool:
        """Check the file; called on an I/O thread."""
        key = self._known.get(path)
        if key is None:
            return False
        try:
            return key == facts_key(facts_of((self._inbox / path).lstat()))
        except OSError:
            return False
