"""Notifies other programs: runs them with the facts, or posts the facts to an address.

Nothing here can delay or fail a scan: notifications wait in bounded queues and are sent on separate threads, at most
once. The sidecars are the truth; a notification is only a notification.
"""
