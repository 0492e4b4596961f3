"""One run of the daemon: ``pipeline`` has a scan's life, ``daemon`` the order of start and stop.

``assembly`` puts the parts together. ``scheduler`` says whose turn it is, ``loading`` and ``deliveries`` do what waits
for a disk, many scans in one ``group_commit``. ``recovery`` takes up what an earlier run has left, and ``reload``
takes new settings. ``report`` and ``status_publisher`` say what the daemon does; ``quarantine_watch``,
``archive_check`` and ``tidying`` look after files that were put away.
"""
