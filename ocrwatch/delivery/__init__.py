"""Turns a result into files, in an order that survives a kill at any point.

``step_order`` orders the ``steps`` and says what the ledger must record before each; ``chosen_names`` chooses one free
stem for all of a scan's files; ``sidecars`` stages and publishes the text, ``originals`` archives, keeps or deletes the
scan; ``batch_commit`` runs each step for many scans before one fsync (``durability``).

``deliveries`` is the queue of the delivery thread, and ``duplicates`` finds texts that were delivered before.
"""
