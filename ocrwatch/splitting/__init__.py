"""Splits files of several pages, such as PDF and TIFF, into images of one page, in a process of its own."""
