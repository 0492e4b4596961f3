"""Drives the stages in one loop.

``reception`` takes scans from the inbox to batches, ``reading`` from batches to results, ``delivering`` from results
to files; ``pipeline`` puts them together. ``loop`` is the one thread on which all of that is decided, ``pauses`` what
keeps it waiting, ``report`` what others get to see of it. ``startup`` is what must be true before, and ``daemon`` holds
the order of start and stop.
"""
