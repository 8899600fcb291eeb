"""Weights from the Hugging Face hub, found on disk: which commit, and where its files are.

The cache is the hub library's own, laid out as its documentation says::

    <cache>/models--<owner>--<name>/
        refs/<revision>            the commit that a branch or tag meant
        snapshots/<commit>/...     the files of a commit
        havir.lock.json            ours: commit, sizes and checksums of each revision

A branch can move; the lock remembers which commit was fetched for it first, so that later runs use
the same weights. Nothing here needs a network.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path

from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name

from havir_lib.errors import WeightsError
from havir_lib.io import read_json, sha256_of, write_json, write_text
from havir_lib.locks import alone

LOCK = "havir.lock.json"
CHECKSUMS = "checksums.json"
"""SHA-256 of the files of a folder of weights that did not come from a hub."""
CLIP_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
"""Of open_clip's repositories, in order of preference."""
TOKENIZER_FILES = ("vocab.json", "merges.txt", "tokenizer_config.json")
"""Of ``tokenizer/`` in a diffusion model's repository: words, merges, and which token pads."""
_COMMIT = re.compile(r"[0-9a-f]{40}")


def is_repository(name: str) -> bool:
    """Whether `name` reads ``owner/name`` and is not a folder on this machine."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", name) is not None and not Path(name).exists()


def repository_folder(repository: str, cache: str | None = None) -> Path:
    """Folder of a repository inside a hub cache; default: where ``HF_HUB_CACHE`` says."""
    root = Path(cache).expanduser() if cache else Path(constants.HF_HUB_CACHE)
    return root / repo_folder_name(repo_id=repository, repo_type="model")


@dataclass(frozen=True)
class HubFile:
    """Size in bytes and checksum of a file in a repository; `kind` names the checksum."""

    size: int
    kind: str
    value: str


@dataclass(frozen=True)
class Revision:
    """What a revision of a repository is: its commit, and all its files by name."""

    commit: str
    files: dict[str, HubFile]


def locked(repository: str, revision: str, cache: str | None = None) -> Revision | None:
    """What a revision meant when it was first fetched, or None if it never was.

    Raises
    ------
    WeightsError
        If the lock file cannot be read.
    """
    path = repository_folder(repository, cache) / LOCK
    if not path.is_file():
        return None
    try:
        entry = read_json(path).get(revision)
        if entry is None:
            return None
        files = {name: HubFile(**facts) for name, facts in entry["files"].items()}
        return Revision(entry["commit"], files)
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path} is damaged ({error!r}). Delete it; `havir download --what weights` makes it "
            "anew."
        ) from None


def lock(repository: str, revision: str, meant: Revision, cache: str | None = None) -> None:
    """Remember what `revision` means from now on, also as the hub's own reference."""
    folder = repository_folder(repository, cache)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    with alone(folder / f".{LOCK}.held"):
        content = read_json(path) if path.is_file() else {}
        write_json(path, {**content, revision: asdict(meant)})
    if not _COMMIT.fullmatch(revision):
        write_text(folder / "refs" / revision, meant.commit)


def commit_of(repository: str, revision: str, cache: str | None = None) -> str | None:
    """Commit that a revision means on this machine, or None if it was never fetched."""
    if _COMMIT.fullmatch(revision):
        return revision
    if known := locked(repository, revision, cache):
        return known.commit
    reference = repository_folder(repository, cache) / "refs" / revision
    return reference.read_text(encoding="utf-8").strip() if reference.is_file() else None


def snapshot_folder(repository: str, revision: str, cache: str | None = None) -> Path:
    """Where the files of a revision are, or would be; it need not exist."""
    commit = commit_of(repository, revision, cache) or revision
    return repository_folder(repository, cache) / "snapshots" / commit


def clip_repository(model: str, tag: str | None) -> str | None:
    """Repository where open_clip finds the weights of a model and tag, or None if it knows none."""
    if (model.removesuffix("-quickgelu"), tag) == ("ViT-L-14", "openai"):
        return "timm/vit_large_patch14_clip_224.openai"  # the paper's, without a slow import
    from open_clip.pretrained import get_pretrained_cfg

    return get_pretrained_cfg(model, tag or "").get("hf_hub", "").rstrip("/") or None


def clip_file(model: str, tag: str | None, revision: str, cache: str | None = None) -> Path | None:
    """Weights of a CLIP model that were fetched at a revision, or None if they were not."""
    repository = clip_repository(model, tag)
    if repository is None:
        return None
    folder = snapshot_folder(repository, revision, cache)
    return next((folder / name for name in CLIP_FILES if (folder / name).is_file()), None)


def checked_digest(path: Path) -> str:
    """SHA-256 of a file of weights, held against the checksum that came with it, if one did.

    Checksums are in ``havir.lock.json`` of a hub's repository, or in ``checksums.json`` in one of
    the folders above the file.

    Raises
    ------
    WeightsError
        If the file is not what it was when it was fetched or made.
    """
    found = sha256_of(path)
    expected, remedy = _expected(path)
    if expected not in (None, found):
        raise WeightsError(
            f"{path} is damaged: its SHA-256 should be {expected}, and is {found}. {remedy}"
        )
    return found


def write_checksums(folder: Path) -> Path:
    """Write ``checksums.json`` for all files of weights below a folder."""
    files = [file for file in sorted(folder.rglob("*")) if file.suffix in {".safetensors", ".json"}]
    sums = {file.relative_to(folder).as_posix(): sha256_of(file)
            for file in files if file.name != CHECKSUMS}  # fmt: skip
    write_json(folder / CHECKSUMS, sums)
    return folder / CHECKSUMS


def _expected(path: Path) -> tuple[str | None, str]:
    """The checksum that is known of a file, or None, and how to get the file again."""
    for folder in list(path.absolute().parents)[:3]:
        if (folder / CHECKSUMS).is_file():
            sums = read_json(folder / CHECKSUMS)
            name = path.absolute().relative_to(folder).as_posix()
            return sums.get(name), "Reinstall this package, or run `havir mini train` again."
    parts = path.absolute().parts
    if "snapshots" in parts:
        place = len(parts) - 1 - parts[::-1].index("snapshots")
        commit, name = parts[place + 1], "/".join(parts[place + 2 :])
        lock_file = Path(*parts[:place]) / LOCK
        content = read_json(lock_file) if lock_file.is_file() else {}
        for entry in content.values():
            known = entry["files"].get(name) if entry["commit"] == commit else None
            if known and known["kind"] == "sha256":
                return known["value"], "Delete it and run `havir download --what weights`."
    return None, ""
