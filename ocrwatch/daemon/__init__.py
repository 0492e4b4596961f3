"""One run of the daemon: ``pipeline`` has a scan's life, ``daemon`` starts, serves and stops.

``assembly`` connects the parts. ``page_source`` gets the page of a scan, ``priority_scheduler`` decides which scan is
next, and ``retry_policy`` whether it is retried. ``recovery`` continues what an earlier run has left, ``reload``
applies new settings, and ``status_publisher`` publishes the daemon's status.
"""
