"""Servers that files come from: what every kind offers, and plain web addresses.

All offer the same two things: what a file is (size, checksum) before it is fetched, and its bytes
from a given position on. Faults come out as three kinds: :class:`Interrupted` (worth another try),
:class:`Changed` (another file stands there now), and :class:`~havir_lib.errors.DataError`.
"""

from __future__ import annotations

import contextlib
import email.utils
import re
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import requests
import urllib3

from havir_lib.config import Download
from havir_lib.download.checksum import Checksum, from_etag
from havir_lib.download.watch import Watch
from havir_lib.errors import DataError

BLOCK = 1 << 16
"""Bytes read at a time; fewer within ``download.timeout_seconds`` is too slow."""


class Interrupted(Exception):
    """The connection broke, or the server is busy: the same request may work in a moment.

    Attributes
    ----------
    pause : float
        Seconds that the server asks to wait.
    """

    def __init__(self, message: str, pause: float = 0.0) -> None:
        super().__init__(message)
        self.pause = pause


class TooSlow(Interrupted):
    """So few bytes came that waiting for the rest makes no sense."""


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

    def read(
        self, name: str, start: int, etag: str | None, stop: threading.Event
    ) -> Iterator[bytes]:
        """The bytes from `start` on, of the version `etag`; fewer if `stop` is set meanwhile."""


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
            size = _size(name, response.headers.get("Content-Length"))
            etag = response.headers.get("ETag")
            amazon = response.headers.get("Server") == "AmazonS3"
        return Remote(size, from_etag(etag) if etag and amazon else None, etag)

    def read(
        self,
        name: str,
        start: int,
        etag: str | None,
        stop: threading.Event,
        hint: str = "",
    ) -> Iterator[bytes]:
        """Stream from byte `start` on; `hint` says what to do if the server refuses."""
        headers = {"Range": f"bytes={start}-"}
        if etag and not etag.startswith("W/"):  # a weak tag does not promise the same bytes
            headers["If-Match"] = etag
        with self._request("GET", name, headers, hint) as response:
            _check_range(name, start, response)
            blocks = response.raw.stream(BLOCK, decode_content=False)
            watch = Watch(response.raw.shutdown, self._timeout, stop)
            try:
                with watch:
                    yield from watch.each(blocks)
            finally:
                if watch.late:
                    raise TooSlow(f"{name}: less than {BLOCK} bytes in {self._timeout:g} s")

    @contextlib.contextmanager
    def _request(
        self, method: str, url: str, headers: dict[str, str] | None = None, hint: str = ""
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
                    asked = response.headers.get("Retry-After")
                    raise fault(url, response.status_code, response.reason, hint, asked)
                yield response
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Interrupted(f"{url}: {error}") from error


def _size(name: str, length: str | None) -> int:
    if length is None or not re.fullmatch(r"\s*[0-9]+\s*", length):
        found = "which it does not" if length is None else f"found Content-Length: {length}"
        raise DataError(
            f"{name}: expected the server to state the file's size, {found}; a complete copy "
            "could not be told from a cut one. Fetch the file by hand."
        )
    return int(length)


def _check_range(name: str, start: int, response: requests.Response) -> None:
    """Refuse bytes that are not those from `start` on."""
    coding = response.headers.get("Content-Encoding", "identity")
    if coding != "identity":
        raise DataError(
            f"{name}: expected the file as it is, found it sent as {coding}. A proxy may do that; "
            "fetch the file by hand, or from elsewhere."
        )
    if response.status_code == 206:
        sent = response.headers.get("Content-Range", "")
        if not re.match(rf"bytes\s+{start}-", sent):
            raise Changed(f"{name}: asked for bytes from {start} on, got {sent or 'no position'}")
    elif start:
        raise Changed(f"{name}: the server sent the whole file instead of its rest")


def fault(
    place: str, status: int, reason: str, hint: str = "", retry_after: str | None = None
) -> Exception:
    """The exception that an HTTP status stands for.

    Parameters
    ----------
    place : str
        Address, for the message.
    status, reason
        As the server answered.
    hint : str
        What to do where it refuses.
    retry_after : str, optional
        The header of that name: seconds, or a date.
    """
    if status in (408, 425, 429) or status >= 500:
        return Interrupted(f"{place}: {status} {reason}", seconds_of(retry_after))
    if status in (412, 416):  # another version, or one that ends before the position asked for
        return Changed(f"{place}: {status} {reason}")
    if status in (401, 403):
        return DataError(
            f"{place}: expected a public file, but the server refuses it ({status} {reason}). "
            f"{hint or 'Check the address and whether a proxy stands between.'}"
        )
    kind = NotThere if status in (404, 410) else DataError
    return kind(f"{place}: expected the file, found {status} {reason}. Check the address.")


def seconds_of(retry_after: str | None) -> float:
    """Seconds from now that a ``Retry-After`` header means; 0 for none, nonsense and the past."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0
