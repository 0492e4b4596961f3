"""From the inbox to bytes: which files are scans, when they are complete, and the one safe way to open them.

``names`` and ``ignore_rules`` say what is a scan; ``inotify`` and ``rescan`` turn events and the folder's content into
arrivals; ``jpeg`` tells a whole JPEG from half of one; ``readiness`` and ``batcher`` are pure and get the time passed
in; ``opener`` is the only place that opens a file in the inbox.
"""
