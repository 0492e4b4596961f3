"""Housekeeping: the ledger, and archived and quarantined files.

``late_writers`` takes a scan back if its writer finishes it in the quarantine, ``archive_check`` marks a text for
review if its original was changed after it was read, and ``empty_folders`` removes folders that scans were taken from.
``ledger_rebuild`` rebuilds a ledger that was damaged or deleted from what the folders hold.
"""
