"""Presets: how one kind of remote OCR service is asked, and what its answers mean; one module each."""
