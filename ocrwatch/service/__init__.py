"""Tells the outside world.

``notify`` tells systemd, ``status`` people and programs, ``doctor`` the admin; ``lock`` keeps a second ocrwatch away.
"""
