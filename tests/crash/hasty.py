"""ocrwatch with pauses of milliseconds instead of up to half a minute:  python -m tests.crash.hasty COMMAND...

Where one call in twenty fails, most deliveries fail several times; waiting it out as in earnest would take days.
Nothing else is another than it is.
"""

from __future__ import annotations

import sys

from ocrwatch import cli
from ocrwatch.daemon import pauses
from ocrwatch.dispatch import slot

pauses.FIRST_DELAY = 0.002
pauses.LONGEST_DELAY = 0.02
pauses.HELD_UP = 0.1
slot._LONGEST_BACK_OFF = 0.5

if __name__ == "__main__":
    sys.exit(cli.main())
