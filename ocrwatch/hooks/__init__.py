"""Tells other programs what happened: runs them with the facts, or posts the facts to an address.

Nothing here can hold up or fail a scan: what is to be told waits in bounded queues and goes out on threads of its own,
at most once. The sidecars are the truth; a notice is a notice.
"""
