"""Servers that files come from: what every kind offers, and plain web addresses.

All offer the same two things: what a file is (size, checksum) before it is fetched, and its bytes
from a given position on. Faults come out as three kinds: :class:`Interrupted` (worth another try),
:class:`Changed` (another file stands there now), and :class:`~havir_lib.errors.DataError`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import requests
import urllib3

from havir_lib.config import Download
from havir_lib.download.checksum import BLOCK, Checksum, from_etag
from havir_lib.errors import DataError


class Interrupted(Exception):
    """The connection broke, or the server is busy: the same request may work in a moment."""


class NotThere(DataError):
    """The server has no such file."""


class Changed(Exception):
    """The file on the server is not the one whose first part was fetched."""


@dataclass(frozen=True)
class Remote:
    """A file as its server describes it.

    Attributes
    ----------
    size : int
        In bytes.
    checksum : Checksum or None
        None if the server gives none that can be computed from the bytes.
    etag : str or None
        The server's name of this version of the file.
    """

    size: int
    checksum: Checksum | None = None
    etag: str | None = None


class Source(Protocol):
    """What the transfer needs of a server; methods may raise Interrupted and DataError."""

    def survey(self, names: Iterable[str]) -> dict[str, Remote]:
        """Files by name, quickly; those that do not exist are left out."""

    def describe(self, name: str, known: Remote | None = None) -> Remote:
        """One file, with its checksum if there is any way to learn it."""

    def read(self, name: str, start: int, etag: str | None) -> Iterator[bytes]:
        """The bytes from `start` on, of the version `etag`."""


class WebSource:
    """Files at plain addresses.

    Parameters
    ----------
    settings : Download
    headers : dict, optional
        Sent with every request.
    """

    def __init__(self, settings: Download, headers: dict[str, str] | None = None) -> None:
        self._timeout = settings.timeout_seconds
        # Compressed transfer would make positions and sizes mean something else.
        self._headers = {**(headers or {}), "Accept-Encoding": "identity"}

    def survey(self, names: Iterable[str]) -> dict[str, Remote]:
        """One HEAD request per address."""
        found = {}
        for name in names:
            with contextlib.suppress(NotThere):
                found[name] = self.describe(name)
        return found

    def describe(self, name: str, known: Remote | None = None) -> Remote:
        """Size, and the checksum if the server is Amazon S3 and so its ETag is one.

        Raises
        ------
        DataError
            If the server does not say how large the file is.
        """
        if known is not None:
            return known
        with self._request("HEAD", name) as response:
            length = response.headers.get("Content-Length")
            etag = response.headers.get("ETag")
            amazon = response.headers.get("Server") == "AmazonS3"
        if length is None:
            raise DataError(
                f"{name}: expected the server to state the file's size, which it does not; a "
                "complete copy could not be told from a cut one. Fetch the file by hand."
            )
        return Remote(int(length), from_etag(etag) if etag and amazon else None, etag)

    def read(self, name: str, start: int, etag: str | None) -> Iterator[bytes]:
        """Stream from byte `start` on."""
        headers = {"Range": f"bytes={start}-"}
        if etag and not etag.startswith("W/"):  # a weak tag does not promise the same bytes
            headers["If-Match"] = etag
        with self._request("GET", name, headers) as response:
            if start and response.status_code != 206:
                raise Changed(f"{name}: the server sent the whole file instead of its rest")
            yield from response.raw.stream(BLOCK, decode_content=False)

    @contextlib.contextmanager
    def _request(
        self, method: str, url: str, headers: dict[str, str] | None = None
    ) -> Iterator[requests.Response]:
        try:
            with requests.request(
                method,
                url,
                headers={**self._headers, **(headers or {})},
                stream=True,
                timeout=self._timeout,
                allow_redirects=True,
            ) as response:
                if response.status_code >= 400:
                    raise fault(url, response.status_code, response.reason)
                yield response
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Interrupted(f"{url}: {error}") from error


def fault(place: str, status: int, reason: str, hint: str = "") -> Exception:
    """The exception that an HTTP status stands for."""
    if status in (408, 425, 429) or status >= 500:
        return Interrupted(f"{place}: {status} {reason}")
    if status in (412, 416):  # another version, or one that ends before the position asked for
        return Changed(f"{place}: {status} {reason}")
    if status in (401, 403):
        return DataError(
            f"{place}: expected a public file, but the server refuses it ({status} {reason}). "
            f"{hint or 'Check the address and whether a proxy stands between.'}"
        )
    kind = NotThere if status in (404, 410) else DataError
    return kind(f"{place}: expected the file, found {status} {reason}. Check the address.")
