"""Scans that cannot be read, and their way back to the inbox."""
