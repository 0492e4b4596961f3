"""From a result to files, in an order that survives being killed anywhere.

``transaction`` holds the order of the ``steps`` and what the ledger must know before each; ``plan`` chooses one free
stem for all of a scan's files; ``sidecars`` stages and publishes the text, ``originals`` archives, keeps or deletes the
scan; ``batch_commit`` runs each step for many scans before one fsync (``durability``).

``deliveries`` is the queue of the thread that does it, and ``duplicates`` finds texts that were delivered before.
"""
