"""The paper's four tables as data frames in long format: one number per row.

Each builder checks its input, fills in what the table adds (descriptions, published counts) and
returns the columns in a fixed order and the rows in a stable one, so that equal results give equal
files.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

import pandas as pd

from havir_lib.errors import DataError

INTERVAL = ["value", "low", "high", "n"]


def table1_rois(rois: pd.DataFrame) -> pd.DataFrame:
    """Table I: every region of interest, the mask set it comes from and the branch it feeds.

    Parameters
    ----------
    rois : DataFrame
        Columns roi (label, e.g. ``"V1v"``), set (mask file, e.g. ``"prf-visualrois"``), label (its
        integer in the file) and role (``"structural"`` or ``"semantic"``).

    Returns
    -------
    DataFrame
        roi, set, label, role, description.
    """
    columns = ["roi", "set", "label", "role"]
    table = _checked(rois, columns, "the table of ROIs")[columns]
    known = roi_descriptions()
    table = table.assign(description=table["roi"].map(known).fillna(""))
    return _in_order(table, "role", ["structural", "semantic"])


def table2_voxel_counts(
    counts: pd.DataFrame, published: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Table II: voxels per subject, role and region.

    Parameters
    ----------
    counts : DataFrame
        Columns subject, role, roi and n_voxels. A role's total has roi ``"all"``; it can be less
        than the sum, since regions may overlap.
    published : DataFrame, optional
        Columns subject, roi and n_voxels (for real NSD subjects): added as column n_published.

    Returns
    -------
    DataFrame
        subject, role, roi, n_voxels and, if `published` was given, n_published.
    """
    columns = ["subject", "role", "roi", "n_voxels"]
    table = _checked(counts, columns, "the voxel counts")[columns]
    if published is not None:
        extra = _checked(published, ["subject", "roi", "n_voxels"], "the published counts")
        extra = extra.rename(columns={"n_voxels": "n_published"})
        keys = ["subject", "roi"]
        table = table.merge(extra[[*keys, "n_published"]], how="left", on=keys, validate="m:1")
        table["n_published"] = table["n_published"].astype("Int64")
    return _in_order(table, "role", ["structural", "semantic"], within="subject")


def table3_comparison(rerun: pd.DataFrame, published: pd.DataFrame | None = None) -> pd.DataFrame:
    """Table III: methods rerun here on the same data, and published numbers with their source.

    Parameters
    ----------
    rerun : DataFrame
        Columns method, subject, metric, value, low, high, n; optional best (bool): significantly
        best of its column by a paired test.
    published : DataFrame, optional
        From :func:`havir_lib.evaluation.published.load_published`: columns method, setting, metric,
        value, source, checked, note.

    Returns
    -------
    DataFrame
        method, source (``"published"`` or ``"rerun"``), setting (published rows: hours of the test
        subject's data), subject, metric, value, low, high, n, then whatever else came along; the
        citation of a published number is in column reference.
    """
    keys = ["method", "subject", "metric", *INTERVAL]
    parts = [_checked(rerun, keys, "the rerun scores").assign(source="rerun", setting="")]
    if published is not None:
        needed = ["method", "setting", "metric", "value", "source"]
        found = _checked(published, needed, "the published scores")
        found = found.rename(columns={"source": "reference"})
        parts.append(found.assign(source="published", subject="mean"))
    table = pd.concat(parts, ignore_index=True)
    for name in ("n", "n_subjects"):
        if name in table:
            table[name] = table[name].astype("Int64")
    first = ["method", "source", "setting", "subject", "metric", *INTERVAL]
    return _first(table, first)


def table4_ablations(scores: pd.DataFrame) -> pd.DataFrame:
    """Table IV: the full model and its ablated configurations.

    Parameters
    ----------
    scores : DataFrame
        Columns configuration, subject, metric, value, low, high, n; optional best (bool).

    Returns
    -------
    DataFrame
        The same columns in a fixed order; rows as given.
    """
    columns = ["configuration", "subject", "metric", *INTERVAL]
    return _first(_checked(scores, columns, "the ablation scores"), columns)


def roi_descriptions() -> dict[str, str]:
    """What each ROI label of NSD stands for."""
    with resources.files(__package__).joinpath("roi_descriptions.csv").open() as stream:
        return pd.read_csv(stream).set_index("roi")["description"].to_dict()


def _checked(frame: pd.DataFrame, columns: Sequence[str], what: str) -> pd.DataFrame:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise DataError(
            f"{what}: expected the columns {', '.join(columns)}; {', '.join(missing)} missing "
            f"(found {', '.join(map(str, frame.columns))})"
        )
    if frame.empty:
        raise DataError(f"{what}: no rows")
    return frame.reset_index(drop=True)


def _first(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    return frame[[*columns, *(name for name in frame.columns if name not in columns)]]


def _in_order(
    frame: pd.DataFrame, column: str, order: Sequence[str], within: str | None = None
) -> pd.DataFrame:
    unknown = sorted(set(frame[column]) - set(order))
    if unknown:
        raise DataError(f"{column} must be one of {list(order)}, but {unknown} was found")
    rank = frame[column].map({name: i for i, name in enumerate(order)})
    keys = frame.assign(_rank=rank)
    by = ["_rank"] if within is None else [within, "_rank"]
    return keys.sort_values(by, kind="stable").drop(columns="_rank").reset_index(drop=True)
