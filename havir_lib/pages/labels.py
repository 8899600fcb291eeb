"""Would any labels do? Covariance of voxels with the targets, and under permuted labels."""

from __future__ import annotations

import pandas as pd

from havir_lib.data.subject import average_repeats
from havir_lib.interpretation import (
    LinearMaps,
    compare_with_null,
    permuted_label_maps,
    roi_summary,
)
from havir_lib.pages.importance import regions_of
from havir_lib.pages.publish import Table, table
from havir_lib.run import Run
from havir_lib.training import BRANCHES
from havir_lib.training.branches import Branch

N_PERMUTATIONS = 200


def permuted_labels(run: Run, name: str, branch: Branch) -> LinearMaps:
    """Covariance of each voxel with the branch's targets, and under permuted labels.

    Of latents for the structural branch and of image tokens for the semantic one. The networks are
    not trained again (that would cost :data:`N_PERMUTATIONS` trainings); see
    :mod:`havir_lib.interpretation.permutation` for what the null is of.
    """
    subject, target = run.subject(name), run.targets(name)
    voxels = getattr(subject, branch)
    betas, ids, _ = average_repeats(subject.train_betas[:, voxels], subject.train_images)
    wanted = target.latents if branch == "structural" else target.image_tokens
    return run.remember(
        "permuted_labels",
        permuted_label_maps,
        betas,
        wanted[target.rows(ids)],
        n_permutations=N_PERMUTATIONS,
        seed=run.config.seed,
    )


def permuted_summary(run: Run) -> pd.DataFrame:
    """Covariance of voxels with the targets per region, against permuted labels.

    Returns
    -------
    DataFrame
        Columns of :func:`havir_lib.interpretation.roi_summary` after subject and role, and
        share_above: the share of a region's voxels with p <= 0.05 against their own null.
    """
    parts = []
    for name in run.subjects:
        subject = run.subject(name)
        for branch in BRANCHES:
            found = permuted_labels(run, name, branch)
            rois = subject.rois[getattr(subject, branch)].reset_index(drop=True)
            names = [roi for roi in regions_of(run, name, branch) if rois[roi].any()]
            frame = roi_summary(found.observed, rois, names=names, null=found.null)
            p = compare_with_null(found.observed, found.null, pool=False)["p"]
            frame["share_above"] = [float((p[rois[roi]] <= 0.05).mean()) for roi in frame["roi"]]
            parts.append(frame.assign(subject=name, role=branch))
    frame = pd.concat(parts, ignore_index=True)
    return frame[["subject", "role", *frame.columns.drop(["subject", "role"])]]


@table
def permuted(run: Run) -> Table:
    """The same as a table."""
    caption = "Covariance of voxels with the targets, against images and betas paired at random."
    note = (
        f"{N_PERMUTATIONS} permutations; share_above: voxels with p <= 0.05 against their own "
        "null; without signal, one in twenty."
    )
    return Table(permuted_summary(run), caption, note)
