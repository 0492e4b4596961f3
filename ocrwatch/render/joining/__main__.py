"""Joins the sidecars of a document's pages:  python -m ocrwatch.render.joining < job."""

from __future__ import annotations

import sys

from ocrwatch.render.joining.child import main

if __name__ == "__main__":
    sys.exit(main())
