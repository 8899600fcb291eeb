"""What a profile needs from outside, file by file: the manifest's rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from havir_lib.download.checksum import Checksum
from havir_lib.download.transfer import partial_size

Group = Literal["nsd", "coco", "weights"]
GROUPS: tuple[Group, ...] = ("nsd", "coco", "weights")


@dataclass(frozen=True)
class Item:
    """One file that a profile needs.

    Attributes
    ----------
    group : {"nsd", "coco", "weights"}
        Which of the three can be asked for alone.
    kind : str
        What it is, for tables, e.g. ``"betas"``.
    path : Path
        Its place on this machine.
    source : str
        Which server has it: ``nsd``, ``web``, or ``hub:<owner>/<name>@<revision>``; empty if only
        the user can provide it.
    name : str
        What that server calls it: key of an object, address, or path in a repository.
    subject : str
        Whose file it is; empty if nobody's.
    required : bool
        Whether the analysis stops without it; others are for maps, checks and listings.
    alternatives : tuple of Path
        Other files that serve as well.
    member : str
        If `name` is an archive: the file's name in it.
    pinned : Checksum or None
        What the file must give, where that is known in advance and not only from the server.
    """

    group: Group
    kind: str
    path: Path
    source: str
    name: str
    subject: str = ""
    required: bool = True
    alternatives: tuple[Path, ...] = ()
    member: str = ""
    pinned: Checksum | None = None

    @property
    def fetched(self) -> Path:
        """What is fetched: the file itself, or the archive it is in, which lies beside it."""
        if not self.member:
            return self.path
        return self.path.with_name(self.name.rpartition("/")[2])

    def here(self) -> Path | None:
        """The file that serves, or None: whether it is intact is not looked at."""
        files = (self.path, *self.alternatives)
        return next((file for file in files if file.is_file()), None)

    def begun(self) -> int:
        """Bytes of it that an earlier run fetched."""
        return partial_size(self.fetched)

    def as_found(self) -> Item:
        """This item, or the one for its alternative if that is what this machine has."""
        found = self.here()
        if found in (None, self.path):
            return self
        folder = self.path.parents[self.name.count("/")]  # the path ends with the server's name
        name = found.relative_to(folder).as_posix()
        return replace(self, path=found, name=name, alternatives=(self.path,))
