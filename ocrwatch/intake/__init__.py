"""From the inbox to bytes: watch (1), settle (2), batch (3), and the one safe way to open a file.

``names`` says what is a scan; ``watch`` and ``look`` turn
events and the folder's content into arrivals; ``structure`` tells a whole JPEG from half of one; ``settle`` and
``batch`` are pure and get the time passed in; ``source`` is the only place that opens a file in the inbox.
"""
