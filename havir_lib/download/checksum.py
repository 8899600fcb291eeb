"""Checksums of files, in the forms that servers publish.

Amazon S3 gives every object an ETag: the MD5 of its bytes or, if it was uploaded in `n` parts, the
MD5 of the parts' MD5s followed by ``-n``; with the size of the parts that can be computed again
from a file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

BLOCK = 1 << 20

Kind = Literal["MD5", "MD5 of parts", "SHA-256", "first digits of SHA-256", "Git's SHA-1"]


@dataclass(frozen=True)
class Checksum:
    """What a file's bytes must give.

    Attributes
    ----------
    kind : str
        How it is computed. ``Git's SHA-1`` is that of a Git blob: header and content.
    value : str
        Hexadecimal; for parts with ``-n`` at the end.
    part_size : int or None
        Bytes per part, for ``MD5 of parts``.
    """

    kind: Kind
    value: str
    part_size: int | None = None

    def of(self, path: Path, advance: Callable[[int], None] = lambda n: None) -> str:
        """The same kind of checksum of a file; `advance` is told how many bytes were read."""
        blocks = _blocks(path, advance)
        if self.kind == "MD5 of parts":
            return _md5_of_parts(path, self.part_size, advance)
        if self.kind == "MD5":
            return _update(hashlib.md5(usedforsecurity=False), blocks)
        if self.kind == "Git's SHA-1":
            header = f"blob {path.stat().st_size}\0".encode()
            return _update(hashlib.sha1(header, usedforsecurity=False), blocks)
        digest = _update(hashlib.sha256(), blocks)
        return digest[: len(self.value)] if self.kind == "first digits of SHA-256" else digest


def from_etag(etag: str, part_size: int | None = None) -> Checksum | None:
    """The checksum in an ETag of S3, or None if it cannot be computed from a file.

    Parameters
    ----------
    etag : str
        With or without quotation marks.
    part_size : int, optional
        Bytes of the first part; needed for an ETag of several parts.
    """
    value = etag.strip('"')
    if re.fullmatch(r"[0-9a-f]{32}", value):
        return Checksum("MD5", value)
    if part_size and re.fullmatch(r"[0-9a-f]{32}-\d+", value):
        return Checksum("MD5 of parts", value, part_size)
    return None


def _blocks(path: Path, advance: Callable[[int], None]) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block
            advance(len(block))


def _update(digest, blocks: Iterator[bytes]) -> str:
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _md5_of_parts(path: Path, part_size: int, advance: Callable[[int], None]) -> str:
    digests = []
    with path.open("rb") as file:
        while block := file.read(min(BLOCK, part_size)):
            digest, left = hashlib.md5(block, usedforsecurity=False), part_size - len(block)
            advance(len(block))
            while left and (block := file.read(min(BLOCK, left))):
                digest.update(block)
                left -= len(block)
                advance(len(block))
            digests.append(digest.digest())
    whole = hashlib.md5(b"".join(digests), usedforsecurity=False).hexdigest()
    return f"{whole}-{len(digests)}"
