"""Finds the fields of a document, such as date and total of a receipt, and says how sure each is."""
