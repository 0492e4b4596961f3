"""From the inbox to bytes: which files are scans, when they are complete, and the one safe way to open them.

``names`` and ``ignore_rules`` say what is a scan. ``watcher`` yields batches: ``arrivals`` notices files by ``inotify``
and ``rescan``, ``jpeg`` tells a whole JPEG from half of one, ``readiness`` and ``batcher`` are pure and get the time
passed in. ``ignored_files`` tells of what is not read, ``kept_originals`` knows what was read and stays. ``opener`` is
the only place that opens a file in the inbox, and ``loading`` has it read scans in their turn.
"""
