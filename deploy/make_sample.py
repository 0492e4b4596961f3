"""Makes a sample scan, grey paper and a little crooked:  python deploy/make_sample.py inbox/sample.jpg."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

TEXT = """ocrwatch works

This page was made by the quick start, put into the
inbox, read, and moved to the archive. What you are
looking at lies in the outbox.

Now drop scans of your own into the inbox: JPEG files,
also in folders. Each text has the name of its scan. What
cannot be read goes to the quarantine, with the reason.
"""


def make_sample(path: Path) -> None:
    """Write an A5 page at 300 dots per inch; its name appears in the inbox when it is complete."""
    page = Image.new("L", (1748, 1240), 236)
    ImageDraw.Draw(page).multiline_text((150, 150), TEXT, fill=35, font=ImageFont.load_default(44), spacing=26)
    page = page.rotate(0.6, Image.Resampling.BICUBIC, fillcolor=236).filter(ImageFilter.GaussianBlur(0.7))
    unfinished = path.with_name(f".{path.name}.part")
    page.save(unfinished, "JPEG", quality=85, dpi=(300, 300))
    unfinished.rename(path)


if __name__ == "__main__":
    make_sample(Path(sys.argv[1]))
