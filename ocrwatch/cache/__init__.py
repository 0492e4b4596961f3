"""Pages that were read before, found by the scan's bytes and everything else that decides what its text will be."""
