"""Reads scans with remote OCR services over HTTP."""
