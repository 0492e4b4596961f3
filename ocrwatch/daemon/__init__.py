"""One run of the daemon: ``pipeline`` has a scan's life, ``daemon`` the order of start and stop.

``assembly`` puts the parts together, and ``scheduler`` says whose turn it is. ``recovery`` takes up what an earlier run
has left, ``reload`` takes new settings, and ``status_publisher`` says what the daemon does.
"""
