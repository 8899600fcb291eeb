"""Which files of the Natural Scenes Dataset a profile reads; nothing more is fetched.

Paths and names are those of NSD's manual and of :mod:`havir_lib.data.layout`; the key of an object
in NSD's bucket is its path below the data folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from havir_lib.config import Config, Data
from havir_lib.data.anatomy import anatomy_of
from havir_lib.data.layout import NsdLayout, layout_of
from havir_lib.data.rois import PREFERRED_SETS
from havir_lib.download.items import Item

NSD_SESSIONS = dict(
    zip((f"subj{n:02d}" for n in range(1, 9)), (40, 40, 32, 30, 40, 32, 40, 30), strict=True)
)
"""Scan sessions with betas, per subject (NSD data manual)."""
OTHER_SETS = ("Kastner2015", "HCP_MMP1")
"""Sets that NSD has and that are fetched only if a role names them."""
MASK_ONLY = ("nsdgeneral",)
"""Sets that are one mask: there are no labels to read."""


def nsd_items(config: Config, subjects: list[str], root: Path) -> list[Item]:
    """Files of NSD for some subjects.

    Parameters
    ----------
    config : Config
        Section ``data`` says which sessions, format, grid and regions.
    subjects : list of str
    root : Path
        Data folder; it need not exist.
    """
    layout = layout_of(config, root)
    files = list(_shared(layout))
    for subject in subjects:
        files += _betas(layout, config.data, subject)
        files += _regions(layout, config.data, subject)
        files += _spaces(layout, subject)
    return files


def sessions(data: Data, layout: NsdLayout, subject: str) -> list[int]:
    """Sessions (1-based) that are needed.

    Those asked for; if all are, those NSD has, or for another subject those on this machine.
    """
    wanted = data.sessions_of(subject)
    held = NSD_SESSIONS.get(subject)
    if wanted is None and held is None:
        return layout.sessions(subject) or [1]
    return list(range(1, min(n for n in (wanted, held) if n is not None) + 1))


def _item(
    layout: NsdLayout, kind: str, path: Path, subject: str = "", required: bool = True, also=()
) -> Item:
    name = path.relative_to(layout.root).as_posix()
    return Item("nsd", kind, path, "nsd", name, subject, required, tuple(also))


def _shared(layout: NsdLayout) -> Iterator[Item]:
    yield _item(layout, "experiment design", layout.experiment_design)
    yield _item(layout, "table of stimuli", layout.stim_info)
    yield _item(layout, "stimulus images", layout.stimuli)


def _betas(layout: NsdLayout, data: Data, subject: str) -> Iterator[Item]:
    folder = layout.betas_folder(subject)
    endings = ("hdf5", "nii.gz")
    other = endings[1 - endings.index(data.betas_format)]
    for session in sessions(data, layout, subject):
        stem = f"betas_session{session:02d}"
        path = folder / f"{stem}.{data.betas_format}"
        yield _item(layout, "betas", path, subject, also=[folder / f"{stem}.{other}"])
    yield _item(layout, "noise ceiling", layout.ncsnr(subject), subject)
    # Only compared with the experiment design.
    yield _item(layout, "responses", layout.responses(subject), subject, required=False)


def _regions(layout: NsdLayout, data: Data, subject: str) -> Iterator[Item]:
    own, average = layout.label_directories(subject)
    needed = _sets_of_roles(data)
    for roi_set in dict.fromkeys((*PREFERRED_SETS, *needed)):
        required = roi_set in needed
        yield _item(layout, "ROI masks", layout.roi(subject, roi_set), subject, required)
        if roi_set not in MASK_ONLY:
            table = f"{roi_set}.mgz.ctab"
            yield _item(
                layout, "label tables", own / table, subject, required, also=[average / table]
            )


def _sets_of_roles(data: Data) -> list[str]:
    """Sets that the roles name, or that hold the labels they name."""
    sets: list[str] = []
    for name in (*data.roles.structural, *data.roles.semantic):
        known = (*PREFERRED_SETS, *OTHER_SETS)
        if "/" in name:
            sets.append(name.partition("/")[0])
        elif name in known:
            sets.append(name)
        else:  # a label, whose set only the label tables can tell
            sets += [roi_set for roi_set, labels in LABELS.items() if name in labels][:1]
    return list(dict.fromkeys(sets))


def _spaces(layout: NsdLayout, subject: str) -> Iterator[Item]:
    """What maps on standard brains need, and the subject's own anatomy to draw native ones on."""
    for files in anatomy_of(layout, subject).needs.values():
        for path in files:
            yield _item(layout, "transforms", path, subject, required=False)


LABELS = {
    "prf-visualrois": ("V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "hV4"),
    "floc-faces": ("OFA", "FFA-1", "FFA-2", "mTL-faces", "aTL-faces"),
    "floc-bodies": ("EBA", "FBA-1", "FBA-2", "mTL-bodies"),
    "floc-places": ("OPA", "PPA", "RSC"),
    "floc-words": ("OWFA", "VWFA-1", "VWFA-2", "mfs-words", "mTL-words"),
    "streams": (
        "early", "midventral", "midlateral", "midparietal", "ventral", "lateral", "parietal",
    ),
    "prf-eccrois": ("ecc0pt5", "ecc1", "ecc2", "ecc4", "ecc4+"),
}  # fmt: skip
"""NSD's labels by set, to tell before anything is on disk which set a role needs."""
