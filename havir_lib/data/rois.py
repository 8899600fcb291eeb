"""Regions of interest by name: single labels (``V1v``) or whole sets (``floc-faces``).

A set is one NIfTI of integer labels (0 unlabelled, -1 outside cortex) with a FreeSurfer label table
``<set>.mgz.ctab``; a file without a table is one mask. The same label can occur in several sets
(``V1v`` is in ``prf-visualrois`` and in ``Kastner2015``): the first of :data:`PREFERRED_SETS` that
has it is meant, and ``Kastner2015/V1v`` names the other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from havir_lib.data.layout import GET_DATA, NsdLayout
from havir_lib.data.nifti import Grid, read_volume
from havir_lib.data.regions import LabelledSets
from havir_lib.errors import DataError, did_you_mean

log = logging.getLogger(__name__)

# Sets listed with every subject: drawn for the individual (prf, floc) or on fsaverage (the others).
PREFERRED_SETS = (
    "prf-visualrois",
    "floc-faces",
    "floc-bodies",
    "floc-places",
    "floc-words",
    "streams",
    "prf-eccrois",
    "nsdgeneral",
)
HEMISPHERES = ("lh.", "rh.")


def read_label_table(path: Path) -> dict[str, int]:
    """Label names and values of a FreeSurfer colour table: ``value name [r g b a]`` per line.

    Names of values below 1 (``Unknown``) are left out, and so are names that occur twice, with a
    warning: they would not say which region is meant.

    Raises
    ------
    DataError
        If a line does not start with a number and a name.
    """
    table: dict[str, int] = {}
    twice: set[str] = set()
    for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            value, name = int(words[0]), words[1]
        except (ValueError, IndexError):
            raise DataError(f"{path}: expected 'number name' per line, found {line!r}.") from None
        if name in table:
            twice.add(name)
        if value > 0:
            table[name] = value
    if twice:
        log.warning("%s: labels that occur twice are ignored: %s", path, sorted(twice))
    return {name: value for name, value in table.items() if name not in twice}


@dataclass
class RoiAtlas(LabelledSets):
    """All ROI sets of one subject on one grid; volumes are read when first asked for.

    Attributes
    ----------
    layout : NsdLayout
    subject : str
    grid : Grid
        That every mask must lie on.
    tables : dict
        Set name → {label: value}; empty where the set has no table, or one that cannot be read.
    unreadable : dict
        Set name → what is wrong with its table. It stops only who asks for a label of the set.
    """

    layout: NsdLayout
    subject: str
    grid: Grid
    tables: dict[str, dict[str, int]] = field(init=False)
    unreadable: dict[str, DataError] = field(init=False, default_factory=dict)
    _volumes: dict[str, np.ndarray] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.tables = {}
        for roi_set, path in _find_sets(self.layout, self.subject).items():
            try:
                self.tables[roi_set] = read_label_table(path) if path else {}
            except DataError as error:
                self.tables[roi_set], self.unreadable[roi_set] = {}, error

    def resolve(self, name: str) -> tuple[str, str | None]:
        """Set and label that `name` means; the label is None for a whole set.

        Raises
        ------
        DataError
            If no set and no label has this name; lists what is known.
        """
        if found := find_label(name, self.tables):
            return found
        if (wanted := name.rpartition("/")[0]) in self.unreadable:
            raise self.unreadable[wanted]
        raise DataError(self._unknown(name))

    def listed_names(self) -> list[str]:
        """Sets of :data:`PREFERRED_SETS` that exist, each followed by its labels."""
        names = []
        for roi_set in PREFERRED_SETS:
            if self.layout.roi(self.subject, roi_set).is_file():
                names += [roi_set, *self.tables[roi_set]]
        return names

    def labels(self, roi_set: str) -> np.ndarray:
        """Labels of a set (X, Y, Z), int32; -1 outside."""
        if roi_set not in self._volumes:
            path = self.layout.roi(self.subject, roi_set)
            what = f"ROI set {roi_set} of {self.subject}"
            values = read_volume(path, what, self.grid).values
            self._volumes[roi_set] = whole_labels(path, values, self.tables.get(roi_set, {}))
        return self._volumes[roi_set]

    def _unknown(self, name: str) -> str:
        known = [*self.tables, *(label for table in self.tables.values() for label in table)]
        hint = did_you_mean(name, known)
        lines = [f"  {s}: {', '.join(self.tables[s]) or 'no table'}" for s in sorted(self.tables)]
        lost = "".join(f" Not read: {error}" for error in self.unreadable.values())
        return (
            f"{self.subject} has no ROI {name!r} in {self.layout.roi_directory(self.subject)}."
            f"{hint}{lost} Known sets and labels:\n" + ("\n".join(lines) or f"  none. {GET_DATA}")
        )


def look_at_atlas(atlas: RoiAtlas) -> Iterator[tuple[str, str]]:
    """What labels and tables of an atlas say of each other, as ("ok" or "note", sentence).

    Raises
    ------
    DataError, ShapeError
        If there is no mask, or one cannot be used.
    """
    layout, subject = atlas.layout, atlas.subject
    present = [name for name in atlas.tables if layout.roi(subject, name).is_file()]
    if not present:
        raise DataError(f"No ROI masks in {layout.roi_directory(subject)}.")
    yield "ok", f"{len(present)} sets: {', '.join(present)}"
    for name in present:
        if name in atlas.unreadable:
            yield "note", f"{name}: labels cannot be named: {atlas.unreadable[name]}"
            continue
        table, labels = atlas.tables[name], np.unique(atlas.labels(name))
        empty = sorted(label for label, value in table.items() if value not in labels)
        unnamed = sorted(int(v) for v in labels if v > 0 and v not in table.values())
        if table and empty:
            yield "note", f"{name}: named but without a voxel: {', '.join(empty)}"
        if table and unnamed:
            yield "note", f"{name}: labels without a name in its table: {unnamed}"
        if not table and len(unnamed) > 1:
            yield "note", f"{name}: {len(unnamed)} labels but no table {name}.mgz.ctab"


def whole_labels(path: Path, values: np.ndarray, table: Mapping[str, int]) -> np.ndarray:
    """Labels as integers, (X, Y, Z) int32; NaN is outside (-1).

    Parameters
    ----------
    path : Path
        For messages.
    values : ndarray (X, Y, Z)
    table : mapping
        Name → value of the labels that are known; empty for a mask.

    Raises
    ------
    DataError
        If labels are fractions, as interpolation makes them, or -1 has become 255, as it does in
        8 bits without a sign.
    """
    values = np.where(np.isnan(values), -1, values) if values.dtype.kind == "f" else values
    rounded = np.rint(values).astype(np.int32)
    if values.dtype.kind == "f" and (away := np.abs(values - rounded) > 1e-3).any():
        raise DataError(
            f"{path}: expected whole labels, found {int(away.sum())} voxels with fractions, e.g. "
            f"{values[away][0]:.3f}. It was resampled with interpolation; use nearest neighbours."
        )
    found = np.unique(rounded)
    known = {*table.values(), 0, 255} if table else {0, 1, 255}
    if 255 in found and 255 not in table.values() and len(found) > 2 and set(found) <= known:
        raise DataError(
            f"{path}: expected labels {sorted(known - {255})}, found 255 in "
            f"{int((rounded == 255).sum())} voxels: -1 (outside) stored in 8 bits without a sign. "
            "Save it as int16."
        )
    return rounded


def find_label(name: str, tables: Mapping[str, Mapping[str, int]]) -> tuple[str, str | None] | None:
    """Set and label that a name means, the label None for a whole set; None if there are none.

    Parameters
    ----------
    name : str
        Of a set, of a label, or ``set/label``.
    tables : mapping
        Set name → {label: value}.
    """
    if name in tables or name in PREFERRED_SETS:
        return name, None
    wanted, _, label = name.rpartition("/")
    sets = [wanted] if wanted else _by_preference(tables)
    return next(((one, label) for one in sets if label in tables.get(one, {})), None)


def _find_sets(layout: NsdLayout, subject: str) -> dict[str, Path | None]:
    """Sets that have a mask file or a label table, and the table: the subject's, or fsaverage's."""
    volumes = (file.name for file in layout.roi_directory(subject).glob("*.nii.gz"))
    names = (name.removesuffix(".nii.gz") for name in volumes)
    tables: dict[str, Path | None] = dict.fromkeys(
        name for name in sorted(names) if not name.startswith(HEMISPHERES)
    )
    for folder in reversed(layout.label_directories(subject)):
        for path in sorted(folder.glob("*.mgz.ctab")):
            name = path.name.removesuffix(".mgz.ctab")
            if name in tables or name in PREFERRED_SETS:
                tables[name] = path
    return tables


def _by_preference(tables: Mapping[str, Mapping[str, int]]) -> list[str]:
    listed = [name for name in PREFERRED_SETS if name in tables]
    return listed + [name for name in tables if name not in PREFERRED_SETS]
