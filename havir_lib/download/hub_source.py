"""A repository of the Hugging Face hub as a source of files.

The hub library says what a revision is (commit, sizes, checksums) and where its files are; the
bytes come through the same resumed and checked transfer as everything else.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator

from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import build_hf_headers

from havir_lib import hub
from havir_lib.config import Download
from havir_lib.download.checksum import Checksum
from havir_lib.download.sources import Interrupted, Remote, WebSource, seconds_of
from havir_lib.errors import WeightsError

log = logging.getLogger(__name__)


class HubSource(WebSource):
    """Files of one revision.

    Parameters
    ----------
    repository : str
        ``owner/name``.
    revision : str
        Commit, branch or tag. A branch or tag means the commit it meant when it was first fetched
        on this machine.
    settings : Download
    cache : str, optional
        Hub cache that holds the lock; default the hub library's.
    """

    def __init__(
        self, repository: str, revision: str, settings: Download, cache: str | None = None
    ) -> None:
        super().__init__(settings, build_hf_headers(library_name="havir"))
        self.repository, self.revision, self._cache = repository, revision, cache
        self._endpoint = settings.hub_endpoint
        self._meant: hub.Revision | None = None

    @property
    def meant(self) -> hub.Revision:
        """Commit and files of the revision: as locked here, else as the server says now.

        Raises
        ------
        WeightsError
            If there is no such repository or revision.
        Interrupted
        """
        if self._meant is None:
            known = hub.locked(self.repository, self.revision, self._cache)
            now = self._ask()
            if known is not None and known.commit != now.commit:
                log.warning(
                    "%s: %s now means %s; staying at %s, which %s names. Delete that file to move.",
                    self.repository, self.revision, now.commit, known.commit,
                    hub.repository_folder(self.repository, self._cache) / hub.LOCK,
                )  # fmt: skip
            self._meant = known or now
        return self._meant

    def lock(self) -> None:
        """Write down what the revision means."""
        hub.lock(self.repository, self.revision, self.meant, self._cache)

    def survey(self, names: Iterable[str]) -> dict[str, Remote]:
        """One request for the whole repository."""
        facts = self.facts(self.meant)
        return {name: facts[name] for name in names if name in facts}

    @staticmethod
    def facts(meant: hub.Revision) -> dict[str, Remote]:
        """Size and checksum of every file of a revision."""
        return {name: _remote(file) for name, file in meant.files.items()}

    def read(
        self, name: str, start: int, etag: str | None, stop: threading.Event, hint: str = ""
    ) -> Iterator[bytes]:
        """Stream a file of the commit from byte `start` on."""
        url = hf_hub_url(self.repository, name, revision=self.meant.commit, endpoint=self._endpoint)
        return super().read(url, start, None, stop, hint)

    def _ask(self) -> hub.Revision:
        place = f"{self.repository} at {self.revision}"
        try:
            info = HfApi(endpoint=self._endpoint).model_info(
                self.repository,
                revision=self.revision,
                files_metadata=True,
                timeout=self._timeout,
            )
        except HfHubHTTPError as error:
            if error.response.status_code in (408, 429) or error.response.status_code >= 500:
                pause = seconds_of(error.response.headers.get("Retry-After"))
                raise Interrupted(f"{place}: {_first_line(error)}", pause) from error
            raise WeightsError(
                f"The Hugging Face hub gives nothing for {place} ({_first_line(error)}). Check "
                "weights.diffusion, weights.clip and their revisions, and any access token."
            ) from error
        except Exception as error:  # whatever the HTTP library of this hub library raises
            raise Interrupted(f"{place}: {_first_line(error)}") from error
        files = {sibling.rfilename: _facts(sibling) for sibling in info.siblings}
        return hub.Revision(info.sha, files)


def _facts(sibling: RepoSibling) -> hub.HubFile:
    if sibling.lfs is not None:
        return hub.HubFile(sibling.size, "SHA-256", sibling.lfs.sha256)
    return hub.HubFile(sibling.size, "Git's SHA-1", sibling.blob_id)


def _remote(file: hub.HubFile) -> Remote:
    return Remote(file.size, Checksum(file.kind, file.value), file.value)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0]
