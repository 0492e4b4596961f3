"""The format ``explain``: a picture of the scan with what was found on it, for people.

It answers what the text cannot: which words are doubtful, where the tables are, and whether the page was turned and
straightened as it should have been.
"""

from __future__ import annotations

from typing import ClassVar, Final

from ocrwatch.document import Page
from ocrwatch.errors import EnvironmentFault
from ocrwatch.render.base import Original

_REMEDY: Final = "install Pillow from its wheel (pip install --force-reinstall pillow), or leave out explain"


class ExplainFormat:
    """The faded scan with marks for words and tables, and a legend below it."""

    name: ClassVar[str] = "explain"
    ending: ClassVar[str] = "explain.png"
    shows_original: ClassVar[bool] = True

    def render(self, page: Page, original: Original) -> bytes:
        """Render a PNG. If the scan cannot be shown, the marks are on white.

        Raises EnvironmentFault if Pillow was built without its fonts.
        """
        try:
            # The daemon's own process, which needs only the ending, loads no code for images.
            from ocrwatch.render.explain_picture import explained  # noqa: PLC0415

            return explained(page, original)
        except ImportError as error:
            raise EnvironmentFault(f"the format explain cannot draw ({error})", _REMEDY) from error
