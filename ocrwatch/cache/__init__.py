"""Caches pages by a key of the scan and everything else that affects its text."""
