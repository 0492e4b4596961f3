"""Pages that were read before, kept in levels, found by a key of the scan and everything else that decides its text."""
