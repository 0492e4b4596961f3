"""Drives the stages in one loop.

``watching`` notices what comes into the inbox, ``reception`` takes it from there to batches, ``reading`` from batches
to results, ``delivering`` from results to files; ``pipeline`` puts them together. ``loop`` is the one thread on which
all of that is decided, ``pauses`` what keeps it waiting, ``report`` and ``bulletin`` what others get to see of it.
``startup`` is what must be true before, and ``daemon`` holds the order of start and stop.
"""
