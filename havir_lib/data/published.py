"""Voxel counts that others report for NSD, beside those found here.

The counts are of NSD's 1.8 mm grid and come from code and its outputs, of differing versions of
the masks (``published_voxel_counts.csv`` names each source). A difference is worth a look, not an
error.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

PUBLISHED = Path(__file__).with_name("published_voxel_counts.csv")
SPACE = "func1pt8mm"


def load_published_counts() -> pd.DataFrame:
    """Columns subject, roi, n_voxels, source, note; ``V1v+V1d`` is a sum of labels."""
    return pd.read_csv(PUBLISHED, keep_default_na=False)


def compare_counts(found: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Counts of masks, as drawn, beside published ones.

    Parameters
    ----------
    found : mapping
        Subject → counts with the columns roi and n_voxels, e.g. ``Subject.roi_counts``, of NSD's
        own 1.8 mm masks.

    Returns
    -------
    DataFrame
        One row per published count whose regions were found: subject, roi, n_voxels, n_published,
        difference (found minus published), source, note.
    """
    rows = []
    for row in load_published_counts().itertuples():
        if row.subject not in found:
            continue
        counts = found[row.subject].drop_duplicates("roi").set_index("roi")["n_voxels"]
        parts = row.roi.split("+")
        if not set(parts) <= set(counts.index):
            continue
        n = int(counts[parts].sum())
        rows.append((row.subject, row.roi, n, row.n_voxels, n - row.n_voxels, row.source, row.note))
    names = ["subject", "roi", "n_voxels", "n_published", "difference", "source", "note"]
    return pd.DataFrame(rows, columns=names)
