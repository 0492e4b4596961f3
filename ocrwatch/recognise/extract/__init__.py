"""Extracts the structure of a page from its image and the words that were read: tables.

:mod:`~ocrwatch.recognise.extract.tables` has the order of the steps. All other modules measure in heights of a word on
the straight page, so that no constant depends on the resolution.
"""
