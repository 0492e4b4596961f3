"""One run of the daemon: ``pipeline`` has a scan's life, ``daemon`` starts, serves and stops.

``assembly`` connects the parts. ``page_source`` gets the page of a scan, ``scheduler`` decides which scan is next, and
``retry_policy`` whether it is tried again. ``reload`` applies new settings, which ``hangup`` asks for, and
``status_publisher`` publishes the daemon's status.
"""
