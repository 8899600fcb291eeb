"""Everything a profile needs from outside, computed from its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from havir_lib.config import Config
from havir_lib.download.coco import coco_items
from havir_lib.download.items import GROUPS, Group, Item
from havir_lib.download.nsd import nsd_items
from havir_lib.download.weights import Resolved, weight_items
from havir_lib.errors import ConfigError


def manifest(
    config: Config,
    root: Path,
    subjects: Sequence[str] | None = None,
    what: Sequence[Group] = GROUPS,
    resolved: Resolved | None = None,
) -> list[Item]:
    """Files that a profile needs, in the order in which they are fetched.

    Parameters
    ----------
    config : Config
        A profile whose data are simulated or the user's own needs no NSD and no captions.
    root : Path
        Data folder.
    subjects : sequence of str, optional
        Default: those of the profile.
    what : sequence of {"nsd", "coco", "weights"}
    resolved : mapping, optional
        What revisions of weights are, if a server was asked.

    Raises
    ------
    ConfigError
        If a subject or a group is unknown.
    """
    subjects = list(subjects or config.data.subjects)
    _check("subject", subjects, config.data.subjects)
    _check("group", what, GROUPS)
    items: list[Item] = []
    if "weights" in what:
        items += weight_items(config, resolved)
    from_nsd = not config.simulated and config.data.reader == "nsd"
    if "coco" in what and from_nsd:
        items += coco_items(config, root)
    if "nsd" in what and from_nsd:
        items += nsd_items(config, subjects, root)
    return items


def _check(what: str, asked: Sequence[str], known: Sequence[str]) -> None:
    if unknown := [name for name in asked if name not in known]:
        raise ConfigError(
            f"Unknown {what} {', '.join(map(repr, unknown))}; expected of {', '.join(known)}."
        )
