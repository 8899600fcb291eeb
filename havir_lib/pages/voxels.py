"""Notebook 02: how many voxels, which images, how much signal. Table II."""

from __future__ import annotations

import numpy as np
import pandas as pd

from havir_lib.data import noise_ceiling
from havir_lib.data.published import SPACE, compare_counts
from havir_lib.pages.publish import Drawn, Table, figure, table
from havir_lib.pages.regions import regions_with_role
from havir_lib.plots.rois import figure_noise_ceiling, figure_voxel_counts
from havir_lib.reports import tables
from havir_lib.run import Run


def voxel_counts(run: Run) -> pd.DataFrame:
    """Voxels per subject, role and region, and per role in all (roi ``"all"``)."""
    rows = []
    for name in run.subjects:
        subject = run.subject(name)
        for row in regions_with_role(run, name).itertuples():
            n = int((subject.rois[row.roi] & getattr(subject, row.role)).sum())
            rows.append({"subject": name, "role": row.role, "roi": row.roi, "n_voxels": n})
        for role in ("structural", "semantic"):
            n = int(getattr(subject, role).sum())
            rows.append({"subject": name, "role": role, "roi": "all", "n_voxels": n})
    return pd.DataFrame(rows)


@table
def table2(run: Run) -> Table:
    """Table II: voxels per subject, role and region."""
    frame = tables.table2_voxel_counts(voxel_counts(run))
    note = "Regions of one role may overlap, so a role's total can be less than their sum."
    options = {"rows": ["role", "roi"], "columns": "subject", "value": "n_voxels"}
    wide = frame.pivot_table(
        index=["role", "roi"], columns="subject", values="n_voxels", sort=False
    ).astype("Int64")
    return Table(frame, "Voxels of each region by subject.", note, wide, options)


@figure
def counts(run: Run) -> Drawn:
    """Voxels of each region and subject, as used by the branches."""
    frame = voxel_counts(run)
    return Drawn(figure_voxel_counts(frame), "Voxels per region and subject.", {"counts": frame})


def published_counts(run: Run) -> pd.DataFrame:
    """Sizes of NSD's masks beside published ones; without rows where the subjects are simulated."""
    measured = run.of_nsd and run.config.data.space == SPACE
    names = run.subjects if measured and run.config.data.roi_folder is None else []
    return compare_counts({name: run.full_subject(name).roi_counts for name in names})


def split_summary(run: Run) -> pd.DataFrame:
    """Training and test images and trials per subject."""
    rows = []
    for name in run.subjects:
        subject = run.subject(name)
        repeats = subject.test_repeats
        rows.append(
            {
                "subject": name,
                "training sessions": len(np.unique(subject.train_sessions)),
                "training trials": len(subject.train_images),
                "training images": len(np.unique(subject.train_images)),
                "test images": len(subject.test_images),
                "repeats per test image": f"{repeats.min()}–{repeats.max()}",
            }
        )
    return pd.DataFrame(rows).set_index("subject")


def ceilings_of_regions(run: Run) -> pd.DataFrame:
    """One row per voxel and region: columns subject, role, roi, noise_ceiling (% of variance)."""
    rows = []
    for name in run.subjects:
        subject = run.subject(name)
        ceiling = noise_ceiling(subject.ncsnr, subject.test_repeats)
        for row in regions_with_role(run, name).itertuples():
            inside = subject.rois[row.roi].to_numpy() & getattr(subject, row.role)
            named = {"subject": name, "role": row.role, "roi": row.roi}
            rows.append(pd.DataFrame({**named, "noise_ceiling": ceiling[inside]}))
    return pd.concat(rows, ignore_index=True)


@figure
def ceilings(run: Run) -> Drawn:
    """Noise ceiling of each region's voxels."""
    voxels = ceilings_of_regions(run)
    caption = "Share of the variance of mean test responses that could be explained at best."
    made_from = {"noise_ceiling": voxels["noise_ceiling"].to_numpy()}
    return Drawn(figure_noise_ceiling(voxels), caption, made_from)
