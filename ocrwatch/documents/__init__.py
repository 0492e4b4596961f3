"""Makes documents of several pages: which pages belong together, in which order, and how their files are delivered.

A document is a further set of sidecars over scans that are delivered as ever: its pages are in the ledger, and copies
of their sidecars in the state folder, before they are closed.
"""
