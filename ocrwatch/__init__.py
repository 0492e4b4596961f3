"""A scan dropped into a folder becomes text beside it, without anybody doing anything.

The stages, in the order in which a JPEG passes them:

1. ``intake``     watch the inbox, settle what is complete, batch it, read its bytes once and safely
2. ``dispatch``   hand the bytes to a worker process, one private channel per slot
3. ``recognise``  decode, enhance, read: JPEG bytes in, :class:`~ocrwatch.values.Page` out, no file system
4. ``deliver``    render the sidecars, publish them, put the original away

``daemon`` drives them in one loop, ``ledger`` remembers what happened to every scan, ``service`` tells
the outside world. ``values`` and ``errors`` are what the stages have in common.
"""

__version__ = "0.1.0"
