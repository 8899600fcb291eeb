"""The paper's tables and their controls: computed, saved with provenance, returned to be read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from havir_lib.evaluation import get_metrics
from havir_lib.evaluation.best import best_methods, mark_best
from havir_lib.evaluation.published import load_published
from havir_lib.io import atomic_write, write_json
from havir_lib.pipeline import brains, decoding, images, interpretability
from havir_lib.pipeline.run import Run
from havir_lib.pipeline.statistics import compared, summarised
from havir_lib.provenance import digest, origin, record
from havir_lib.reports import save_table
from havir_lib.reports import tables as build

MAKES = {
    "table1_rois": "table1_rois",
    "table2_voxel_counts": "table2_voxel_counts",
    "table3_comparison": "table3_comparison",
    "table4_ablations": "table4_ablations",
}
"""Table → the function here that makes it."""

INTERVAL_NOTE = (
    "Mean over test images [{confidence:.0f} % bootstrap interval over images{subjects}]; "
    "n is the number of test images. Two-way identification: chance is 0.5. {ssim}"
)
BEST_NOTE = (
    "Bold: better than every other row of the same subject (paired permutation test over images, "
    "p < {alpha:g} after Holm's correction over metrics and rows); upper and lower bounds are no "
    "competitors."
)
ALPHA = 0.05
PAIRED_NOTE = (
    "Intervals resample images and subjects; p is a paired sign-flip test over images (averaged "
    "over subjects), p_holm corrected over all rows; d_z is mean over SD of the paired differences."
)
PAPER_ROWS = {
    "HAVIR": "HAVIR",
    "HAVIR (only z'_img)": "only z'",
    "HAVIR (w/o z'_img)": "w/o z'",
}
"""Rows of published.csv that are the paper's own → configurations here."""
TOLERANCE = 0.02
SSIM_NOTE = "SSIM is two-dimensional, on grey images at 425 px (MindEye's convention)."


def provenance(run: Run, **inputs: object) -> dict:
    """Provenance of a result computed from `inputs` (hashed)."""
    return record(
        run.config, {name: digest(value) for name, value in inputs.items()}, run.simulated
    )


def save(
    run: Run, frame: pd.DataFrame, name: str, caption: str, note: str = "", **options
) -> pd.DataFrame:
    """Write a table with its provenance (see ``reports.save_table``) and return it."""
    made_from = provenance(run, table=frame.astype(str).to_csv())
    save_table(
        frame, run.workspace.tables, name, made_from, run.simulated, note, caption, **options
    )
    return frame


def table1_rois(run: Run) -> pd.DataFrame:
    """Table I: each region, its label in NSD's files, and the branch it feeds."""
    frame = build.table1_rois(brains.region_labels(run))
    note = "The split into roles is this companion's choice (data.roles); the paper's is not given."
    return save(run, frame, "table1_rois", "Regions of interest.", note)


def table2_voxel_counts(run: Run) -> pd.DataFrame:
    """Table II: voxels per subject, role and region."""
    frame = build.table2_voxel_counts(brains.voxel_counts(run))
    note = "Regions of one role may overlap, so a role's total can be less than their sum."
    options = {"rows": ["role", "roi"], "columns": "subject", "value": "n_voxels"}
    caption = "Voxels of each region by subject."
    save(run, frame, "table2_voxel_counts", caption, note, **options)
    return frame.pivot_table(
        index=["role", "roi"], columns="subject", values="n_voxels", sort=False
    ).astype("Int64")


def recovery(run: Run) -> pd.DataFrame:
    """Scores of the reconstructions from true targets: the upper bound."""
    scores = images.scores(run, run.base_subject, "true targets")
    frame = summarised(run, scores, ["subject", "method"])
    caption = "Recovery check: reconstructions from the true latents and tokens."
    save(run, frame, "recovery_check", caption, _note(run, over_subjects=False))
    return readable(frame, ["method"])


def table3_comparison(run: Run) -> pd.DataFrame:
    """Table III: methods rerun here, and published numbers in rows of their own."""
    save_per_image(run, images.all_scores(run, decoding.method_names(run)), "table3_comparison")
    rerun = method_scores(run)
    published = load_published()
    frame = build.table3_comparison(rerun, published)
    caption = "Comparison of methods; published numbers are for NSD and in rows of their own."
    left_out = decoding.why_no_templates(run) if run.config.comparison.full else ""
    note = f"{_note(run)} {BEST_NOTE.format(alpha=ALPHA)} {left_out}".strip()
    save(run, frame, "table3_comparison", caption, note)
    return readable(rerun[rerun["subject"] == "mean"], ["method"])


def method_scores(run: Run, methods: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Mean scores with intervals of methods rerun here: over all subjects, then per subject.

    Default: the methods of this run, see :func:`havir_lib.pipeline.decoding.method_names`.
    """
    methods = decoding.method_names(run) if methods is None else methods
    return _overall_and_per_subject(run, images.all_scores(run, methods), "method")


def table4_ablations(run: Run) -> pd.DataFrame:
    """Table IV: the full model and its ablated configurations."""
    save_per_image(run, images.ablation_scores(run), "table4_ablations")
    scores = configuration_scores(run)
    frame = build.table4_ablations(scores)
    note = f"{_note(run)} {BEST_NOTE.format(alpha=ALPHA)}"
    save(run, frame, "table4_ablations", "Ablations of the full model.", note)
    return readable(scores[scores["subject"] == "mean"], ["configuration"])


def configuration_scores(run: Run) -> pd.DataFrame:
    """Mean scores with intervals of every configuration: over its subjects, then per subject."""
    return _overall_and_per_subject(run, images.ablation_scores(run), "configuration")


def _overall_and_per_subject(run: Run, scores: pd.DataFrame, column: str) -> pd.DataFrame:
    bounds = [name for name, method in decoding.METHODS.items() if method.bound]
    competing = scores[~scores["method"].isin(bounds)]
    parts = []
    for by in ([], ["subject"]):
        best = best_methods(competing, column, by, ALPHA, seed=run.config.seed)
        parts.append(mark_best(summarised(run, scores, [column, *by]), best, column))
    return pd.concat([parts[0].assign(subject="mean"), parts[1]], ignore_index=True)


def save_per_image(run: Run, scores: pd.DataFrame, name: str) -> Path:
    """Write the scores of single images behind a table to ``<workspace>/scores/<name>.csv``."""
    path = run.workspace.root / "scores" / f"{name}.csv"
    with atomic_write(path) as temporary:
        scores.assign(data=origin(run.simulated)).to_csv(
            temporary, index=False, float_format="%.6g", lineterminator="\n"
        )
    write_json(path.with_suffix(".json"), provenance(run, scores=scores.to_csv()))
    return path


def shuffled_control(run: Run) -> pd.DataFrame:
    """Paired differences between real and shuffled voxels, per subject and metric."""
    scores = images.all_scores(run, ("HAVIR", "shuffled voxels"))
    frame = compared(run, scores, "HAVIR", ["shuffled voxels"], by=["subject"])
    caption = "Real against shuffled voxels (paired by image; positive: real is better)."
    return save(run, frame, "control_shuffled_voxels", caption, columns=None)


def paired_to_all(run: Run) -> pd.DataFrame:
    """Paired differences between HAVIR and every other method that competes, over all subjects."""
    names = decoding.method_names(run, bounds=False)
    scores = images.all_scores(run, names)
    frame = compared(run, scores, "HAVIR", [name for name in names if name != "HAVIR"])
    caption = "HAVIR against every other method (paired by image; positive: HAVIR is better)."
    return save(run, frame, "paired_all", caption, PAIRED_NOTE)


def dissociation(run: Run) -> pd.DataFrame:
    """Paired differences of every ablated configuration to the full model."""
    ablated = list(images.CONFIGURATIONS)[1:]
    frame = compared(run, images.ablation_scores(run), "HAVIR", ablated, column="configuration")
    frame[["difference", "low", "high"]] = -frame[["difference", "high", "low"]].to_numpy()
    frame["d_z"] = -frame["d_z"]
    frame = frame.drop(columns="configuration").rename(columns={"baseline": "configuration"})
    caption = "Ablated configurations minus the full model (negative: the configuration is worse)."
    return save(run, frame, "ablations_paired", caption)


def paper_and_here(run: Run) -> pd.DataFrame:
    """Every number that the paper's text gives for HAVIR, beside this run's; for runs on NSD."""
    published = load_published()
    frame = published.loc[published["method"].isin(PAPER_ROWS), ["method", "metric", "value"]]
    frame = frame.assign(configuration=frame["method"].map(PAPER_ROWS)).rename(
        columns={"value": "paper"}
    )
    frame = frame[["configuration", "metric", "paper"]].assign(tolerance=TOLERANCE)
    here = configuration_scores(run)
    here = here.loc[here["subject"] == "mean", ["configuration", "metric", "value", "low", "high"]]
    here = here.rename(columns={"value": "here"})
    frame = frame.merge(here, "left")
    off = (frame["here"] - frame["paper"]).abs()
    frame["within"] = (off <= TOLERANCE).astype(object).where(off.notna(), "not measured")
    caption = "Numbers in the paper's text, and the same from this run."
    return save(run, frame, "paper_and_here", caption, "The tolerance is this companion's choice.")


def map_validity(run: Run) -> pd.DataFrame:
    """How well each kind of importance map agrees with the truth, where the truth is known."""
    frame = interpretability.validity(run)
    caption = "Spearman correlation of voxel importance with the signal that is really there."
    return save(run, frame, "map_validity", caption)


def _note(run: Run, over_subjects: bool = True) -> str:
    return INTERVAL_NOTE.format(
        confidence=100 * run.config.evaluation.confidence,
        subjects=" and subjects" if over_subjects else "",
        ssim=SSIM_NOTE,
    )


def readable(frame: pd.DataFrame, rows: list[str]) -> pd.DataFrame:
    """One row per method, one column per metric, ``value [low, high]``."""
    cells = [
        f"{value:.3f} [{low:.3f}, {high:.3f}]"
        for value, low, high in zip(frame["value"], frame["low"], frame["high"], strict=True)
    ]
    labels = {metric.name: metric.label for metric in get_metrics(list(frame["metric"].unique()))}
    wide = frame.assign(cell=cells, metric=frame["metric"].map(labels))
    return wide.pivot_table(
        index=rows, columns="metric", values="cell", aggfunc="first", sort=False
    )
