"""Explains the state of one file: `ocrwatch why`."""
