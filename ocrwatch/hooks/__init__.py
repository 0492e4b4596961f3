"""Notifies other programs: runs them with a notification, or posts it to an address.

Nothing here can delay or fail a scan: notifications wait in bounded queues, and tasks of the event loop send them at
most once. The sidecars are authoritative; a notification may be lost.
"""
