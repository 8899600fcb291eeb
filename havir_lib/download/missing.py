"""What a profile still needs on this machine, and how to get it, on one screen; no network."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from havir_lib import hub
from havir_lib.config import Config, load_config
from havir_lib.data.layout import NsdLayout, layout_of
from havir_lib.download.items import GROUPS, Group, Item
from havir_lib.download.manifest import manifest
from havir_lib.download.plan import human
from havir_lib.download.terms import FORM, TERMS
from havir_lib.download.weights import network_folder
from havir_lib.errors import ConfigError

ANY_FOLDER = Path("DIR")
"""Stands for the data folder where none was given."""


def open_profile(
    profile: str | Path, overrides: dict[str, Any] | None = None, data: Path | None = None
) -> Config:
    """A profile's configuration, also where it still lacks the data folder.

    Then ``data.root`` is :data:`ANY_FOLDER`, so that what would be in it can be listed.

    Raises
    ------
    ConfigError
        If anything else is wrong with it.
    """
    settings = dict(overrides or {})
    if data is not None:
        settings["data.root"] = str(data)
    try:
        return load_config(profile, settings)
    except ConfigError as error:
        try:
            return load_config(profile, {**settings, "data.root": str(ANY_FOLDER)})
        except ConfigError:
            raise error from None


def missing_items(
    config: Config, subjects: Sequence[str] | None = None, what: Sequence[Group] = GROUPS
) -> list[Item]:
    """Files of a profile that are not on this machine, those not required included."""
    root = Path(config.data.root).expanduser() if config.data.root else ANY_FOLDER
    layout = layout_of(config, root)
    items = manifest(config, root, subjects, what)
    return [item for item in items if item.here() is None and not _is_surplus(item, config, layout)]


def _is_surplus(item: Item, config: Config, layout: NsdLayout) -> bool:
    """Whether it is a session that a run does without: "all" means all that are here."""
    if item.kind != "betas" or config.data.sessions_of(item.subject) is not None:
        return False
    return bool(layout.sessions(item.subject))


def missing_report(config: Config) -> str | None:
    """What is missing for a run and how to get it; None if nothing that is required is.

    At most 40 lines. A run can start where only files that are not required are missing.
    """
    missing = missing_items(config)
    required = [item for item in missing if item.required]
    if not required:
        return None
    root = Path(config.data.root) if config.data.root else ANY_FOLDER
    head = (
        f"Profile {config.profile!r} cannot run yet: {len(required)} required files are not on "
        "this machine."
    )
    return "\n".join([head, "", *table_of_missing(missing, root), "", *_how(config, required)])


def table_of_missing(
    items: Iterable[Item], root: Path, sizes: Mapping[Path, int] | None = None
) -> list[str]:
    """One line per kind of file: how many, how large if known, and whose or the first by name."""
    kinds: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        kinds[f"{item.group}: {item.kind}{'' if item.required else ' (optional)'}"].append(item)
    rows = [("what", "files", "size", "which")]
    for kind, files in kinds.items():
        paths = {file.fetched for file in files}
        known = [sizes[path] for path in paths if path in sizes] if sizes else []
        bytes_ = human(sum(known)) if known else "?"
        rows.append((kind, str(len(files)), bytes_, _which(files, root)))
    wide, count, size = (max(len(row[column]) for row in rows) for column in range(3))
    return [
        f"{kind.ljust(wide)}  {n.rjust(count)}  {f'{bytes_.rjust(size)}  ' if sizes else ''}{which}"
        for kind, n, bytes_, which in rows
    ]


def _which(files: list[Item], root: Path) -> str:
    first = _short(files[0].path, root)
    whose = Counter(file.subject for file in files if file.subject)
    if len(whose) > 1:
        if len(set(whose.values())) == 1:
            counts = f"{min(whose.values())} each of {', '.join(whose)}"
        else:
            counts = ", ".join(f"{subject} {count}" for subject, count in whose.items())
        return f"{counts}; first {Path(first).name}"
    return first if len(files) == 1 else f"{first}, ..."


def _short(path: Path, root: Path) -> str:
    if path.is_relative_to(root):
        return str(path.relative_to(root))
    parts = path.parts
    if "snapshots" in parts:  # a hub cache: repository and file say enough
        at = parts.index("snapshots")
        repository = parts[at - 1].removeprefix("models--").replace("--", "/")
        return f"{repository}: {Path(*parts[at + 2 :])}"
    return path.name if path.parent == network_folder() else str(path)


def _how(config: Config, required: list[Item]) -> list[str]:
    groups = {item.group for item in required if item.source}
    own = [item for item in required if not item.source]
    data = f" --data {shlex.quote(config.data.root)}" if config.data.root else ""
    command = f"havir download --profile {config.given_as}{data}"
    steps = []
    if "nsd" in groups:
        steps += [
            "NSD: agree to its owners' terms and fill in their access form first",
            f"    terms  {TERMS}",
            f"    form   {FORM}",
        ]
    if groups:
        steps += [
            f"{command} --dry-run   shows sizes (--list: every file)",
            f"{command}   asks, fetches, checks; an interrupted download continues",
        ]
    if config.data.root == str(ANY_FOLDER):
        steps.append("NSD is already on this machine? Give its folder with --data.")
    if "weights" in groups:
        folder = config.weights.hub_cache or hub.constants.HF_HUB_CACHE
        steps += [
            "Weights are already on this machine? weights.diffusion and weights.clip may be "
            "folders; by name they are looked for in",
            f"    {folder}  (HF_HOME moves it)",
            f"    {network_folder()}  (metrics; TORCH_HOME moves it)",
        ]
    steps += [f"Only you can provide {item.path} ({item.kind})." for item in own[:3]]
    steps.append(f"then  ./run_all.sh --profile {config.given_as}{data}")
    return ["How to get them:", *(f"  {step}" for step in steps)]
