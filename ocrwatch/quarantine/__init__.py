"""Scans that could not be read: their reasons, their listing, their way back."""
