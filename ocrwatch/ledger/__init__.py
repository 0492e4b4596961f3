"""Records the state of every scan: SQLite in the state folder, the only package that knows SQL.

A row begins when a scan is submitted to a worker; scans that merely wait are in the inbox, which needs no copy here.
The states are ``queued → reading → planned → published → delivered`` or ``quarantined``, ``retrying`` between two
attempts, and ``changed`` for a file that was changed or removed. Each is durable before the step that depends on it.
"""

from ocrwatch.ledger.entry import Entry, facts_key, mtime_of
from ocrwatch.ledger.ledger import Ledger
from ocrwatch.ledger.migrations import SCHEMA_VERSION
from ocrwatch.ledger.reader import LedgerReader
from ocrwatch.ledger.reviews import mark_reviewed
from ocrwatch.ledger.stacks import DocumentEntry, DocumentState, StackEntry, Stacks, StackState

__all__ = [
    "SCHEMA_VERSION", "DocumentEntry", "DocumentState", "Entry", "Ledger", "LedgerReader", "StackEntry", "StackState",
    "Stacks", "facts_key", "mark_reviewed", "mtime_of",
]  # fmt: skip
