"""Checks settings, folders and machine: at start, reload and in ``doctor``."""
