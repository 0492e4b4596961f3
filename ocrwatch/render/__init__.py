"""From a page to the bytes of its sidecars: one module per format."""
