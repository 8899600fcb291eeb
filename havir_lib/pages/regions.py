"""Notebook 01: which regions feed which branch, and where they are. Table I."""

from __future__ import annotations

import numpy as np
import pandas as pd

from havir_lib.data import roi_table
from havir_lib.pages.brain_maps import brain_map, role_volume, without_anatomy, without_places
from havir_lib.pages.publish import Drawn, Table, figure, table
from havir_lib.plots.rois import ROLE_CODES, figure_roi_definitions, figure_roles
from havir_lib.reports import tables
from havir_lib.run import Run


def regions_with_role(run: Run, name: str) -> pd.DataFrame:
    """Regions (roi_set, roi, role) of the sets and labels that the roles name.

    Of a set with a table of labels, these; a set that is one mask is a region itself.
    """
    subject = run.subject(name)
    regions = roi_table([subject])
    masks = [name for name in regions["roi_set"].unique() if not subject.labels.get(name)]
    labelled = regions[(regions["roi"] != regions["roi_set"]) | regions["roi_set"].isin(masks)]
    parts = []
    for role in ("structural", "semantic"):
        named = getattr(run.config.data.roles, role)
        chosen = labelled[labelled["roi"].isin(named) | labelled["roi_set"].isin(named)]
        parts.append(chosen[["roi_set", "roi"]].assign(role=role))
    return pd.concat(parts, ignore_index=True)


def region_labels(run: Run) -> pd.DataFrame:
    """Every region that feeds a branch: columns roi, set, label (its integer in the file), role."""
    name = run.base_subject
    regions, labels_of = regions_with_role(run, name), run.subject(name).labels
    labels = [labels_of.get(row.roi_set, {}).get(row.roi, 1) for row in regions.itertuples()]
    return regions.rename(columns={"roi_set": "set"}).assign(label=labels)


@table
def table1(run: Run) -> Table:
    """Table I: each region, its label in NSD's files, and the branch it feeds."""
    note = "The split into roles is this companion's choice (data.roles); the paper's is not given."
    return Table(tables.table1_rois(region_labels(run)), "Regions of interest.", note)


@figure
def role_maps(run: Run) -> Drawn | str:
    """Where structural and semantic voxels lie in each subject's own brain."""
    if lost := without_places(run, run.subjects):
        return lost
    maps = {name: role_volume(run, name) for name in run.subjects}
    caption = "Structural and semantic voxels of each subject, in its own space."
    caption += without_anatomy(run, run.subjects)
    return Drawn(figure_roles(maps), caption, {name: m.volume for name, m in maps.items()})


@figure
def definitions(run: Run) -> Drawn | str:
    """Every region that feeds a branch, in the base subject's own brain."""
    name = run.base_subject
    if lost := without_places(run, [name]):
        return lost
    subject, roles = run.subject(name), run.config.data.roles
    regions = pd.DataFrame(
        [(roi, role) for role in ROLE_CODES for roi in getattr(roles, role)],
        columns=["roi", "role"],
    )
    codes = np.zeros(subject.n_voxels, "f4")
    for code, row in list(enumerate(regions.itertuples(), start=1))[::-1]:  # the first named wins
        codes[subject.rois[row.roi].to_numpy() & getattr(subject, row.role)] = code
    drawn = figure_roi_definitions(brain_map(run, name, codes), regions, name)
    caption = f"Regions of interest of {name}; where sets of a role overlap, the first one shows."
    return Drawn(drawn, caption, {"codes": codes})
