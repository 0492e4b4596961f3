"""From a page to the bytes of its sidecars."""
