"""Figures of the controls (notebook 10), drawn from the tables of `control_tables`."""

from __future__ import annotations

from pathlib import Path

from havir_lib.evaluation.metrics import METRICS
from havir_lib.pipeline import control_tables
from havir_lib.pipeline.figures import save
from havir_lib.pipeline.run import Run
from havir_lib.plots.controls import figure_curves, figure_intervals
from havir_lib.plots.style import METHODS, ROLES, SPARE, shades

MEAN = "mean"
CURVES = {
    "transfer": METHODS["HAVIR"],
    "from scratch": ROLES["structural"],
    "ridge": METHODS["ridge"],
}
CLAIMS = {
    "split": "Divided beats undivided voxels",
    "latent": "The latent is needed",
    "tokens": "The tokens are needed",
}
SETTINGS = {"strength": "Strength", "mixing": "Mixing ratio", "guidance_scale": "Guidance scale"}
KINDS = {
    "pixels": "Pixel scores",
    "two_way": "Two-way identification",
    "distance": "Feature distance (lower is better)",
}


def transfer_curve(run: Run) -> Path:
    """Quality of a new subject's decoders against hours of data."""
    table = control_tables.transfer_curve(run)
    table = table[table["subject"] == MEAN]
    figure = figure_curves(
        table, panel="metric", x="hours", colour="method", colours=CURVES, xlabel="Hours of data",
        ylabel="Held-out score", log=True,
    )  # fmt: skip
    caption = "Held-out scores after some hours of a new subject's data, with bootstrap intervals."
    return save(run, figure, "transfer_curve", caption, table.to_csv())


def sampler_sweeps(run: Run) -> Path:
    """What strength, mixing ratio and guidance scale do to the scores."""
    table = control_tables.sampler_sweeps(run)
    table = table.assign(kind=[KINDS[_kind(name)] for name in table["metric"]])
    order = {name: rank for rank, name in enumerate(KINDS.values())}
    table = table.sort_values("kind", key=lambda kind: kind.map(order), kind="stable")
    names = list(dict.fromkeys(table["metric"]))
    used = {name: getattr(run.config.diffusion, name) for name in SETTINGS}
    figure = figure_curves(
        table, panel="parameter", x="setting", colour="metric", row="kind", titles=SETTINGS,
        colours={name: SPARE[i % len(SPARE)] for i, name in enumerate(names)}, marks=used,
    )  # fmt: skip
    caption = "One setting of the sampler at a time; dashed: the setting of this run."
    return save(run, figure, "sampler_sweeps", caption, table.to_csv())


def _kind(metric: str) -> str:
    comparison = METRICS[metric].comparison
    return comparison if comparison in KINDS else "pixels"


def crosstalk_claims(run: Run) -> Path:
    """The main claims under each crosstalk of the simulation."""
    table = control_tables.crosstalk_claims(run).rename(columns={"difference": "value"})
    levels = sorted(table["crosstalk"].unique())
    table = table.assign(
        claim=table["claim"].map(CLAIMS), level=[f"crosstalk {x:g}" for x in table["crosstalk"]]
    )
    names = [f"crosstalk {level:g}" for level in levels]
    colours = dict(zip(names, reversed(shades("semantic", len(levels))), strict=True))
    figure = figure_intervals(
        table, panel="claim", row="metric", colour="level", colours=colours, zero="no difference",
        xlabel="Difference (right: as claimed)",
    )  # fmt: skip
    caption = "HAVIR minus the baseline of each claim, signed so that positive is as claimed."
    return save(run, figure, "crosstalk_claims", caption, table.to_csv())


def held_out_clusters(run: Run) -> Path:
    """Decoding with and without the test image's own semantic cluster in the training data."""
    table = control_tables.held_out_clusters(run)
    figure = figure_intervals(table, panel="metric", row="split", colour="method")
    caption = "Image tokens decoded with all training images, without as many at random, and "
    caption += "without the test image's own semantic cluster."
    return save(run, figure, "held_out_clusters", caption, table.to_csv())


def region_ceilings(run: Run) -> Path:
    """What each region tells, as a share of what it could tell at best."""
    table = control_tables.region_ceilings(run)
    table = table.assign(
        value=table["relative"], low=table["relative_low"], high=table["relative_high"],
        panel=table["target"] + " from " + table["role"] + " voxels",
    )  # fmt: skip
    figure = figure_intervals(
        table, panel="panel", row="roi", colour="subject", per_row=2,
        xlabel="Score / ceiling of the same decoder",
    )  # fmt: skip
    caption = "Decoding score of each region relative to its ceiling, per subject."
    return save(run, figure, "region_ceilings", caption, table.to_csv())
