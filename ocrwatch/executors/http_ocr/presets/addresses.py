"""Addresses of requests: a service's URL may have its host only, or the whole path of its documentation."""

from __future__ import annotations

from urllib.parse import urlsplit

from ocrwatch.recipe import RemoteService


def rest_of_path(service: RemoteService, path: str) -> str:
    """Return the part of ``path`` that is to be appended to the URL of a service.

    ``/v1/images:annotate`` is appended to ``https://host``, ``/images:annotate`` to ``https://host/v1``, and nothing to
    ``https://host/v1/images:annotate``.
    """
    wanted = path.strip("/").split("/")
    there = path_of(service).split("/")
    for count in range(len(wanted), 0, -1):
        if there[-count:] == wanted[:count]:
            return "".join(f"/{name}" for name in wanted[count:])
    return path


def path_of(service: RemoteService) -> str:
    """Return the path of a service's URL without the slashes around it."""
    return urlsplit(service.url).path.strip("/")
