"""Which voxels feed which branch: structural (early visual) or semantic (category-selective).

The paper uses two disjoint sets of voxels (section III-A) but drawn ROIs overlap, so a rule says
who keeps a voxel that both claim, and every count is reported.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from havir_lib.config import Roles
from havir_lib.data.rois import RoiAtlas
from havir_lib.errors import DataError

ROLES = ("structural", "semantic")


def resolve_roles(atlas: RoiAtlas, roles: Roles) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Disjoint masks of the two roles.

    Parameters
    ----------
    atlas : RoiAtlas
    roles : Roles
        ROI names of each role and the overlap rule.

    Returns
    -------
    structural, semantic : ndarray of bool, (X, Y, Z)
        No voxel is in both.
    counts : DataFrame
        Columns role, roi, n_voxels: each ROI as drawn, per role ``all ROIs`` (before the rule),
        and one row ``overlap`` whose roi says where these voxels went.

    Raises
    ------
    DataError
        If a role has no voxel left.
    """
    rows = []
    claimed = {}
    for role in ROLES:
        masks = {name: atlas.mask(name) for name in getattr(roles, role)}
        claimed[role] = (
            np.any(list(masks.values()), axis=0) if masks else np.zeros(atlas.grid.shape, bool)
        )
        rows += [(role, name, int(mask.sum())) for name, mask in masks.items()]
        rows.append((role, "all ROIs", int(claimed[role].sum())))
    both = claimed["structural"] & claimed["semantic"]
    kept_by = "dropped" if roles.overlap == "drop" else f"kept as {roles.overlap}"
    rows.append(("overlap", kept_by, int(both.sum())))
    counts = pd.DataFrame(rows, columns=["role", "roi", "n_voxels"])
    used = {role: claimed[role] & ~(both & (roles.overlap != role)) for role in ROLES}
    check_not_empty(atlas.subject, used, counts)
    return used["structural"], used["semantic"], counts


def check_not_empty(subject: str, roles: dict[str, np.ndarray], counts: pd.DataFrame) -> None:
    """Raise :class:`DataError` with the counts if a role has no voxel."""
    for role, mask in roles.items():
        if not mask.any():
            raise DataError(
                f"{subject}: the role {role!r} has no voxels. Change data.roles. Counts:\n"
                f"{counts.to_string(index=False)}"
            )


def count_rois(atlas: RoiAtlas, masks: dict[str, np.ndarray], used: np.ndarray) -> pd.DataFrame:
    """Size of every ROI.

    Parameters
    ----------
    atlas : RoiAtlas
    masks : dict
        ROI name → mask (X, Y, Z).
    used : ndarray of bool, (X, Y, Z)
        Voxels that have a role.

    Returns
    -------
    DataFrame
        Columns roi_set, roi, n_voxels (as drawn), n_used (with a role); a whole set has its own
        name as roi.
    """
    rows = [
        (atlas.resolve(name)[0], name, int(mask.sum()), int((mask & used).sum()))
        for name, mask in masks.items()
    ]
    return pd.DataFrame(rows, columns=["roi_set", "roi", "n_voxels", "n_used"])
