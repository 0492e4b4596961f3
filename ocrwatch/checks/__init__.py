"""Checks of settings, folders and machine: at the start, at a reload and in ``ocrwatch doctor``."""
