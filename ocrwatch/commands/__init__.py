"""The commands without their options; each returns its exit code.

``run`` has ``run`` and ``once``; the other commands are in modules of their names.
"""
