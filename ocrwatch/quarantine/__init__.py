"""Scans that could not be read: reasons, listing and restoring."""
