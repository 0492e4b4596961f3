"""Invoices that are rendered with random contents, in six layouts and three languages, with what is true of them."""
