"""One run of the daemon: ``pipeline`` has a scan's life, ``daemon`` starts, serves and stops.

``assembly`` connects the parts, and ``scheduler`` decides which scan goes next. ``recovery`` continues what an earlier
run has left, ``reload`` applies new settings, and ``status_publisher`` publishes the daemon's status.
"""
