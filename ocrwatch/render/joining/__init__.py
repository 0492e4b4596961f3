"""Joins the sidecars of single pages into the files of one document, in a process of its own."""
