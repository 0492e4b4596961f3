"""The PDF of several pages, each as its own sidecar shows it, or as it is in the PDF that came into the inbox."""

from __future__ import annotations

from typing import BinaryIO, ClassVar

from ocrwatch.render.joining.base import Document


class JoinedPdf:
    """A missing page is as large as the one before it, and says so."""

    # Those of PdfFormat, whose module loads Pillow.
    name: ClassVar[str] = "pdf"
    ending: ClassVar[str] = "pdf"

    def join(self, document: Document, file: BinaryIO) -> None:
        """Write the document. Raises EnvironmentFault if the library cannot be loaded."""
        from ocrwatch.render.pdf import PACKAGE  # noqa: PLC0415 - only if it is wanted

        PACKAGE.require()
        with PACKAGE.loading():
            from ocrwatch.render.joining.pdf_pages import write_pdf  # noqa: PLC0415 - as above
        write_pdf(document, file)
