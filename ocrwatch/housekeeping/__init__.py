"""What happens to files after they were put away.

``late_writers`` takes a scan back whose writer finishes it in the quarantine, ``archive_check`` marks a text for review
whose original was changed after it was read, and ``empty_folders`` removes folders that scans were taken from.
"""
