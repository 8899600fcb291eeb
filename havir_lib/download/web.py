"""Addresses, and the mirror that can replace their host."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from havir_lib.config import Download


def at_mirror(url: str, settings: Download) -> str:
    """The address with the scheme and host of ``download.mirror``, if one is set."""
    if settings.mirror is None:
        return url
    mirror, parts = urlsplit(settings.mirror), urlsplit(url)
    return urlunsplit(parts._replace(scheme=mirror.scheme, netloc=mirror.netloc))
