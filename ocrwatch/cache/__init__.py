"""Cache of pages in levels, with a key of the scan and everything else that decides its text."""
