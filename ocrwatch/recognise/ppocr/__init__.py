"""PP-OCR, a reader whose networks look at a page as it came: one finds the lines, the other reads each of them.

The networks are those of the Python package ``rapidocr``, run by ``onnxruntime``. The package's own code is not
imported: it takes .8 s and 300 to 800 MB more, turns upright lines upside down, and options of one page stay for the
next.

1. ``weights``      finds the networks, and knows which languages they read
2. ``networks``     loads them into this process, once
3. ``detection``    grey pixels to the places of lines
4. ``strip``        the place of one line, and its pixels made upright and 48 high
5. ``recognition``  those pixels to words with places and confidences
6. ``calibration``  what those confidences mean on Tesseract's scale
"""
