"""Turns the bytes of an image into a page of text.

The modules in order of execution:

1. ``decode``    bytes to upright grey pixels; damaged data is an error, never a grey page
2. ``enhance``   the preprocessing that measurements of the page require, composed into one affine map
3. ``engines``   pixels to blocks, lines and words with bounding boxes
4. ``page``      the whole pipeline: :func:`~ocrwatch.recognise.page.recognise`

``perspective`` rectifies photographs before enhancement. ``result_selection`` compares several OCR results of a page.
``second_reader`` reads doubtful text again with ``ppocr``, and ``merging`` merges both results in the reading order of
``layout`` and ``rows``.

``page_view`` is the page before enhancement, and ``tables_and_fields`` what is found on it afterwards. ``doubt`` says
which pages are read a second time. ``remote`` makes the image that a remote service gets, and the page of its answer;
``sent_page`` is what is remembered meanwhile.

``page_codes`` finds bar codes and QR codes, with the library that ``code_library`` checks, and ``code_drawing`` draws
them. ``separators`` says which of them are on separator sheets.

``decode`` uses ``lenient_decoder`` for files that violate the standard, ``strict_decoder`` for their pixels,
``jpeg_surplus``, ``missing_image_data`` and ``jpeg_scans`` for extra or missing image data, and ``extra_images`` for
further images in the file. ``affine`` is used everywhere. ``engine_choice`` says which engines read a scan.
``tessdata`` finds Tesseract's language data. ``shared_process`` tells whether other code runs in the process.

Importing this package imports none of these modules: the parent process checks languages without loading an image
library.
"""
