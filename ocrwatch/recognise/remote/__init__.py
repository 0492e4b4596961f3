"""The image side of remote OCR services: from a scan to the image that is sent, and from an answer to a page.

The modules in order of execution:

1. ``prepare``     decodes the scan strictly, and makes the image that a service gets
2. ``scan_image``  which files are sent as they are, and the colours of others; ``encoding`` writes and shrinks images
3. ``answered``    places what the service read on the original; ``level`` makes skewed text level for that
4. ``merge``       merges a page that was read here with a service's second reading of it
5. ``extraction``  finds the tables, fields and codes of such a page

Nothing here knows HTTP. Everything runs in a worker process, as the rest of :mod:`ocrwatch.recognise`.
"""
