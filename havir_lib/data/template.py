"""``havir subject new``: an empty folder of one's own that explains itself."""

from __future__ import annotations

import re
from pathlib import Path

from havir_lib.errors import ConfigError, DataError
from havir_lib.io import write_json, write_text

NOTE = Path(__file__).with_name("template.md")


def write_template(folder: Path, subject: str) -> Path:
    """Make the folders, ``dataset.json`` and a note; returns the note.

    Raises
    ------
    ConfigError
        If the name is none that a folder of one's own can have.
    DataError
        If there is a data set already.
    """
    if not re.fullmatch(r"sub-[A-Za-z0-9]+", subject):
        raise ConfigError(f"Expected a name such as sub-P01, found {subject!r}.")
    folder = Path(folder)
    if (folder / "dataset.json").exists():
        raise DataError(f"{folder}: expected no data set there, found one.")
    for name in ("stimuli", f"{subject}/betas", f"{subject}/rois"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_json(folder / "dataset.json", {"unit": "percent", "normalised": "none"})
    text = NOTE.read_text(encoding="utf-8").format(folder=folder.resolve(), subject=subject)
    write_text(folder / "README.md", text)
    return folder / "README.md"
