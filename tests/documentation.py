"""The pages that people read: README.md and docs/, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = (README, *sorted(DOCS.rglob("*.md")))
GENERATED = frozenset(DOCS / "reference" / name for name in ("cli.md", "settings.md", "events.md"))
"""Written by deploy/make_docs.py."""

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def text_of(name: str) -> str:
    """Return the page ``name`` in docs/, such as ``reference/status.md``."""
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(language: str, pages: Iterable[Path] = PAGES) -> list[str]:
    """Return the content of all code blocks in this language, on all pages or on some."""
    return [content for page in pages for kind, content in _BLOCK.findall(page.read_text()) if kind == language]


def inline(page: Path) -> list[str]:
    """Return what stands between backticks on a page, outside of its code blocks, each on one line."""
    return [" ".join(code.split()) for code in _INLINE.findall(_BLOCK.sub("", page.read_text()))]


def commands() -> list[str]:
    """Return every command of the shell blocks, each once and without its remark."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return list(dict.fromkeys(command for line in lines if (command := re.sub(r"\s+#.*", "", line).strip())))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as both GitHub and MkDocs make them of plain words."""
    titles = re.findall(r"^#+ (.*)$", _BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}
