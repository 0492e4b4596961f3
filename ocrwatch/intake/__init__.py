"""From the inbox to bytes: finds scans, waits until they are complete, and opens them safely.

``names`` and ``ignore_rules`` decide what is a scan. ``watcher`` yields batches: ``arrivals`` detects files by
``inotify`` and ``rescan``, ``completeness`` distinguishes a whole image from a partial one, ``readiness`` and
``batcher`` are pure and get the time passed in. ``ignored_files`` reports what is not read, ``kept_originals`` knows
what was read and stays. ``opener`` is the only place that opens a file in the inbox, and ``loading`` reads scans with
it in their turn.
"""
