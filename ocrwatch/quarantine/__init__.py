"""Scans that could not be read: why, what lies there, and how one goes back to the inbox."""
