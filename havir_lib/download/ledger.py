"""Which local files were checked already, so that terabytes are not read again on every run."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from havir_lib.download.sources import Remote
from havir_lib.io import read_json, write_json
from havir_lib.locks import alone

log = logging.getLogger(__name__)

NAME = ".havir_checked.json"
KEYS = ("size", "changed_ns", "etag", "checked")


class Ledger:
    """A note beside the data of what was compared with the server, and when the file last changed.

    Parameters
    ----------
    folder : Path
        The note lies in it, and names files relative to it.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._lock = threading.Lock()
        self._entries = self._read()

    def _read(self) -> dict[str, dict]:
        try:
            entries = read_json(self.path)
            return {name: {key: entry[key] for key in KEYS} for name, entry in entries.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("%s is damaged (%s); files are checked anew.", self.path, error)
            return {}

    def checked(self, path: Path, remote: Remote | None = None) -> str | None:
        """What was compared of a file, or None if it changed since, on either side.

        Parameters
        ----------
        path : Path
        remote : Remote, optional
            What the server says now; without it only the local file is looked at.
        """
        entry = self._entries.get(self._name(path))
        if entry is None or not path.is_file():
            return None
        same = _state(path) == {key: entry[key] for key in ("size", "changed_ns")}
        if remote is not None:
            same = same and (entry["size"], entry["etag"]) == (remote.size, remote.etag)
        return entry["checked"] if same else None

    def record(self, path: Path, remote: Remote, checked: str) -> None:
        """Write down that a file equals the server's."""
        entry = {**_state(path), "etag": remote.etag, "checked": checked}
        with self._lock, alone(self.path.with_suffix(".lock")):
            self._entries = self._read() | {self._name(path): entry}  # others write there, too
            write_json(self.path, self._entries)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.path.parent).as_posix()


def _state(path: Path) -> dict[str, int]:
    status = path.stat()
    return {"size": status.st_size, "changed_ns": status.st_mtime_ns}
