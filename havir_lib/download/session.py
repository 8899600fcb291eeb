"""The servers, notes and files of one call of ``havir download``."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from havir_lib import hub
from havir_lib.config import Config, Download
from havir_lib.download import coco
from havir_lib.download.hub_source import HubSource
from havir_lib.download.items import GROUPS, Group, Item
from havir_lib.download.ledger import Ledger
from havir_lib.download.manifest import manifest
from havir_lib.download.plan import Sizes, survey
from havir_lib.download.sources import Interrupted, Remote, Source, WebSource
from havir_lib.download.transfer import Stopped, check, pause_after
from havir_lib.errors import DataError
from havir_lib.locks import holder, take

log = logging.getLogger(__name__)
Result = TypeVar("Result")


@dataclass
class Session:
    """One call of the command.

    Attributes
    ----------
    config : Config
    root : Path
        Data folder.
    subjects, what : sequence of str
        What is asked for.
    settings : Download
        How patiently servers are asked.
    """

    config: Config
    root: Path
    subjects: Sequence[str] | None
    what: Sequence[Group] = GROUPS
    settings: Download = field(default_factory=Download)
    sources: dict[str, Source] = field(init=False, default_factory=dict)
    stop: threading.Event = field(init=False, default_factory=threading.Event)
    _ledgers: dict[Path, Ledger] = field(init=False, default_factory=dict)

    def items(self, ask_hub: bool = False) -> list[Item]:
        """The manifest, with alternatives that are already here in place of what is not.

        With `ask_hub`, revisions of weights are what the hub says; else what is known here.
        """
        repositories = self.repositories() if ask_hub else {}
        resolved = {name: source.meant for name, source in repositories.items()}
        files = manifest(self.config, self.root, self.subjects, self.what, resolved)
        return [item.as_found() for item in files]

    def connect(self) -> None:
        """Prepare for the servers that the manifest names; no request is sent yet."""
        names = {item.source for item in self.items() if item.source}
        self.sources = {name: self._source(name) for name in names}

    def repositories(self) -> dict[str, HubSource]:
        """Those sources that are repositories of the hub."""
        return {n: source for n, source in self.sources.items() if isinstance(source, HubSource)}

    def _source(self, name: str) -> Source:
        if name == "nsd":
            from havir_lib.download.s3_source import S3Source  # boto3 takes a while to import

            return S3Source(self.settings.nsd_bucket, self.settings)
        if name == "web":
            return WebSource(self.settings)
        repository, _, revision = name.removeprefix("hub:").partition("@")
        return HubSource(repository, revision, self.settings, self.config.weights.hub_cache)

    def look(self) -> tuple[list[Item], Sizes]:
        """Items, and what the servers say of them; tries again where a connection breaks."""

        def attempt() -> tuple[list[Item], Sizes]:
            items = self.items(ask_hub=True)
            return items, survey(self.sources, items)

        return self.patiently(attempt)

    def patiently(self, attempt: Callable[[], Result]) -> Result:
        """Call until no connection breaks, with growing pauses.

        Raises
        ------
        DataError
            After ``download.attempts`` tries.
        """
        for failures in range(self.settings.attempts):
            try:
                return attempt()
            except Interrupted as error:
                last = error
                pause = pause_after(error, failures, self.settings)
                if failures + 1 < self.settings.attempts and self.stop.wait(pause):
                    raise Stopped from None
        raise DataError(
            f"No answer after {self.settings.attempts} tries: {last}. Check the connection, a "
            "proxy, and the addresses in the profile's download section; `--offline` checks what "
            "is here without a network."
        ) from last

    def ledger(self, item: Item) -> Ledger:
        """Where checks of this item are written down: in its data folder, repository or cache."""
        folder = item.path.parent
        if item.group in ("nsd", "coco"):
            folder = self.root
        elif item.source.startswith("hub:"):
            repository = item.source.removeprefix("hub:").partition("@")[0]
            folder = hub.repository_folder(repository, self.config.weights.hub_cache)
        return self._ledgers.setdefault(folder, Ledger(folder))

    def intact(
        self, item: Item, remote: Remote | None, advance: Callable[[int], None] | None = None
    ) -> str | None:
        """What was compared of a file that is here; None if it has to be fetched again.

        A file that was compared before and has not changed since is not read again.
        """
        ledger = self.ledger(item)
        if checked := ledger.checked(item.path, None if item.member else remote):
            return checked
        if item.member:
            return self._caption_file(item, ledger)
        if remote is None:
            return "not at all (nothing to compare with)"
        remote = self.described(item.source, item.name, remote)
        try:
            checked = check(item.path, remote, item.source, remove=False, advance=advance)
        except DataError as error:
            log.warning("%s It will be fetched anew.", error)
            return None
        ledger.record(item.path, remote, checked)
        return checked

    def _caption_file(self, item: Item, ledger: Ledger) -> str | None:
        if not coco.is_whole(item.path):
            log.warning("%s cannot be read to its end; it will be fetched anew.", item.path)
            return None
        checked = "readable to its end"
        ledger.record(item.path, Remote(item.path.stat().st_size), checked)
        return checked

    def described(self, source: str, name: str, remote: Remote) -> Remote:
        """What the server knows of a file with a request for it alone."""
        if remote.checksum is not None or source not in self.sources:
            return remote
        return self.patiently(lambda: self.sources[source].describe(name, remote))

    def lock_weights(self) -> None:
        """Write down what the revisions of weights mean, before the first is fetched."""
        for source in self.repositories().values():
            source.lock()

    def locked_sizes(self) -> Sizes:
        """What the locks on this machine say of weights; no network."""
        sizes = {}
        for name, source in self.repositories().items():
            meant = hub.locked(source.repository, source.revision, self.config.weights.hub_cache)
            for file, remote in source.facts(meant).items() if meant else ():
                sizes[name, file] = remote
        return sizes

    @contextlib.contextmanager
    def alone(self, folder: Path) -> Iterator[None]:
        """No second download writes into `folder` meanwhile.

        Raises
        ------
        DataError
            If one does.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / ".havir_download.lock"
        if (lock := take(path, patience=0)) is None:
            raise DataError(
                f"{folder}: expected to be the only download there, found another one running: "
                f"{holder(path)}. Wait for it, or end it."
            )
        with lock:
            yield
