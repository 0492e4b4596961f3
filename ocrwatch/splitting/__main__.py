"""Splits a file into its pages:  python -m ocrwatch.splitting CHANNEL FILE FOLDER KIND."""

from __future__ import annotations

import sys

from ocrwatch.splitting.child import main

if __name__ == "__main__":
    sys.exit(main())
