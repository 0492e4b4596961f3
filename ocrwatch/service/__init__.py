"""Tells the outside world.

``notify`` tells systemd, ``status`` people and programs, ``note`` (posted by ``poster``) those who see only the share,
``metrics`` and ``listener`` Prometheus, ``doctor`` the admin; ``lock`` keeps a second ocrwatch away.
"""
