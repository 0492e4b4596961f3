"""ocrwatch with pauses of milliseconds instead of up to half a minute:  python -m tests.crash.hasty COMMAND...

Where one call in twenty fails, most deliveries fail several times; waiting it out as in earnest would take days.
Nothing else is another than it is.
"""

from __future__ import annotations

import sys

from ocrwatch import backoff, cli
from ocrwatch.executors import worker_slot

backoff.FIRST_DELAY = 0.002
backoff.LONGEST_DELAY = 0.02
backoff.BLOCKED_DELAY = 0.1
worker_slot._LONGEST_BACK_OFF = 0.5

if __name__ == "__main__":
    sys.exit(cli.main())
