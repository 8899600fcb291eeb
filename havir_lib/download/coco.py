"""COCO's captions: five sentences per image, in one archive with annotations not needed here."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from pathlib import Path

from havir_lib.config import Config, Download
from havir_lib.data.layout import CAPTION_FOLDERS, layout_of
from havir_lib.download.checksum import Checksum
from havir_lib.download.items import Item
from havir_lib.download.web import at_mirror
from havir_lib.errors import DataError
from havir_lib.io import atomic_write, read_json

TERMS = "https://cocodataset.org/#termsofuse"
FILES = ("captions_train2017.json", "captions_val2017.json")
"""NSD's images are in both."""


def coco_items(config: Config, root: Path) -> list[Item]:
    """Caption files that the profile names; those that are not COCO's only the user can provide.

    A profile that names none reads those that come with the data, if they have any of their own.
    """
    layout, named = layout_of(config, root), config.data.captions
    if named is None and [file for file in layout.captions() if file.name not in FILES]:
        return []
    named = named or [f"{CAPTION_FOLDERS[0]}/{name}" for name in FILES]
    return [_item(file, config.download) for file in layout.captions(named)]


def _item(path: Path, settings: Download) -> Item:
    if path.name not in FILES:
        return Item("coco", "captions", path, "", "")
    archive = at_mirror(settings.coco_captions, settings)
    pinned = Checksum("MD5", settings.coco_md5) if settings.coco_md5 else None
    member = f"annotations/{path.name}"
    return Item("coco", "captions", path, "web", archive, member=member, pinned=pinned)


def is_whole(path: Path) -> bool:
    """Whether a caption file can be read to its end; the server has no checksum of it alone."""
    try:
        return "annotations" in read_json(path)
    except ValueError:
        return False


def extract_captions(archive: Path, members: dict[str, Path]) -> None:
    """Write members of a zip archive to their places, each only when it is complete.

    Raises
    ------
    DataError
        If a member is missing or damaged.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            for member, path in members.items():
                _extract_one(content, member, path)
    except KeyError as error:
        raise DataError(
            f"{archive}: expected {sorted(members)} in it ({error}). Check download.coco_captions."
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(
            f"{archive}: cannot be unpacked ({error}). Delete it and run the command again."
        ) from error


def _extract_one(content: zipfile.ZipFile, member: str, path: Path) -> None:
    try:
        with (
            atomic_write(path) as temporary,
            content.open(member) as packed,
            temporary.open("wb") as file,
        ):
            shutil.copyfileobj(packed, file, 1 << 20)
    except OSError as error:
        size = content.getinfo(member).file_size
        raise DataError(
            f"{path}: expected room for {size} bytes, found that it cannot be written "
            f"({error.strerror}). Make room and run the same command again."
        ) from error
