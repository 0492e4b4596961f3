"""From the bytes of a JPEG to a page of text, in the order in which it happens.

1. ``decode``    bytes to grey pixels the right way up; damage is an error here, never a grey page
2. ``enhance``   what a measurement of the page asks for, composed into one affine map
3. ``engines``   the pixels to blocks, lines and words with boxes
4. ``page``      the composition: :func:`~ocrwatch.recognise.page.recognise`

``perspective`` straightens photographs before all that. ``policy`` compares readings; ``second_reader`` reads again by
``ppocr`` what is in doubt, and ``merging`` makes one page of both, in the order that ``layout`` and ``rows`` find.

``decode`` has ``lenient`` for files that break the standard, ``strict`` for their pixels, ``surplus``, ``holes`` and
``jpeg_scans`` for what is too much or missing in their data, and ``following`` for further images in the file.
``affine`` is a tool of all; ``tessdata`` finds the engine's language data; ``shared`` knows whether the process is ours
alone.
Importing this package imports none of them, so that the parent process can check languages without loading an image
library.
"""
