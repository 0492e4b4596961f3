"""The trial picture: a few words that show whether a service reads."""

from __future__ import annotations

from importlib import resources
from typing import Final

from ocrwatch.render.base import RenderRequest

TRIAL_REQUEST: Final = RenderRequest(("txt",), b"trial.png", 0, "")
"""What is to be made of the trial picture's page."""

TRIAL_TEXT: Final = "Test page 2468"
"""What the picture says."""


def trial_picture() -> bytes:
    """Return the picture, a PNG."""
    return resources.files(__package__).joinpath("trial.png").read_bytes()
