"""PP-OCR: one network detects the lines, another recognises each line.

The networks are those of the Python package ``rapidocr``, run by ``onnxruntime`` on unprocessed pages. The package's
own code is not imported: it takes .8 s and 300 to 800 MB more, turns upright lines upside down, and keeps options of
one page for the next.

1. ``weights``      finds the networks, and knows which languages they support
2. ``networks``     loads them into this process, once
3. ``detection``    grey pixels to the positions of lines
4. ``strip``        the position of one line, and its pixels, upright and 48 rows high
5. ``recognition``  those pixels to words with positions and scores
6. ``calibration``  scores to confidences on Tesseract's scale
"""
