"""Lets pages link to files outside of docs/, such as a Samba configuration: the site gets a copy of each."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

_ROOT = Path(__file__).parents[1]
_COPIES = "files"
_LINK = re.compile(r"\]\((\.\./[^)\s#]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the files outside of docs/ that pages link to."""
    for page in files.documentation_pages():
        for link in _LINK.findall(Path(page.abs_src_path).read_text(encoding="utf-8")):
            source = _outside(page, link)
            target = f"{_COPIES}/{source}.txt"
            if source and files.get_file_from_path(target) is None:
                files.append(File.generated(config, target, content=(_ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links to these files lead to their copies."""

    def rewritten(match: re.Match[str]) -> str:
        source = _outside(page.file, match[1])
        if not source:
            return match[0]
        here = posixpath.dirname(page.file.src_uri)
        return f"]({posixpath.relpath(f'{_COPIES}/{source}.txt', here or '.')})"

    return _LINK.sub(rewritten, markdown)


def _outside(page: Any, link: str) -> str:
    """Return the path in the repository of what a page links to, empty if that is in docs/."""
    path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page.src_uri), link))
    return "" if path.startswith("docs/") else path
