"""The paper's claims under different crosstalk between structural and semantic areas.

How much of each kind of signal the other kind of area carries decides whether a split of the voxels
can help at all. In real brains nobody knows it; in the simulation it is a setting, and a claim that
holds only at one value of it is a claim about that value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from havir_lib.errors import ConfigError
from havir_lib.pages.publish import Drawn, Table, figure, table
from havir_lib.pages.summaries import PAIRED_NOTE, compared, how_to_read, predicted_scores
from havir_lib.plots.controls import figure_intervals
from havir_lib.plots.style import shades
from havir_lib.run import Run

EMBEDDING_METRICS = ("latent correlation", "image token correlation", "text token correlation")
CLAIMS = {
    "split": "Divided beats undivided voxels",
    "latent": "The latent is needed",
    "tokens": "The tokens are needed",
}
NONE = "Measured data have no such setting."


def with_crosstalk(run: Run, crosstalk: float, subjects: Sequence[str] | None = None) -> Run:
    """The same run on subjects simulated with another crosstalk, in the same workspace.

    Parameters
    ----------
    crosstalk : float
        If it is the run's own, the run itself is returned and nothing is computed again.
    subjects : sequence of str, optional
        Simulate only these and the base subject, to save time and disk; they see the same pictures
        as in the whole data set, in another order.

    Raises
    ------
    ConfigError
        If the data are measured.
    """
    if not run.config.simulated:
        raise ConfigError(
            "Crosstalk is a setting of the simulation; this run reads measured data "
            f"from {run.config.data.root}."
        )
    if crosstalk == run.config.simulation.crosstalk:
        return run
    settings = run.config.simulation.model_dump() | {"crosstalk": crosstalk}
    simulation = type(run.config.simulation).model_validate(settings)
    wanted = {run.base_subject, *(subjects or run.subjects)}
    data = run.config.data.model_copy(
        update={"subjects": [name for name in run.subjects if name in wanted]}
    )
    return replace(
        run, config=run.config.model_copy(update={"simulation": simulation, "data": data})
    )


def crosstalk_levels(run: Run) -> list[float]:
    """The configured crosstalk and those of ``comparison.crosstalk``, rising."""
    if not run.config.simulated:
        return []
    return sorted({*run.config.comparison.crosstalk, run.config.simulation.crosstalk})


def crosstalk_claims(run: Run) -> pd.DataFrame:
    """The three main claims, each tested at every crosstalk.

    - *split*: HAVIR against the same networks on all voxels, by embedding scores.
    - *latent*: the full model against ``w/o z'``, by images.
    - *tokens*: the full model against ``only z'``, by images.

    Returns
    -------
    DataFrame
        Columns crosstalk, claim, baseline, metric, difference (positive: as the claim says), low,
        high, p, p_holm (within crosstalk and claim), d_z, n, n_subjects, subjects_better.
    """
    named = run.config.comparison.crosstalk_subjects
    subjects = run.config.chosen(
        "crosstalk_subjects", run.subjects if named else [run.base_subject]
    )
    frames = []
    for level in crosstalk_levels(run):
        sibling = with_crosstalk(run, level, subjects)
        for claim, frame in comparisons(sibling, subjects).items():
            frames.append(frame.assign(crosstalk=level, claim=claim))
    if not frames:
        raise ConfigError("Crosstalk is a setting of the simulation; this run has none.")
    frame = pd.concat(frames, ignore_index=True)
    first = ["crosstalk", "claim", "baseline", "metric"]
    return frame[[*first, *(name for name in frame.columns if name not in first)]]


def comparisons(run: Run, subjects: list[str]) -> dict[str, pd.DataFrame]:
    """The paired comparisons behind each claim, for some subjects of one run."""
    predicted = predicted_scores(run, ("HAVIR", "all voxels"), subjects)
    predicted = predicted[predicted["metric"].isin(EMBEDDING_METRICS)]
    configurations = ("HAVIR", "w/o z'", "only z'")
    shown = run.all_scores(configurations=configurations, subjects=subjects)
    return {
        "split": _compared(run, predicted, "all voxels", "method"),
        "latent": _compared(run, shown, "w/o z'", "configuration"),
        "tokens": _compared(run, shown, "only z'", "configuration"),
    }


def _compared(run: Run, scores: pd.DataFrame, baseline: str, column: str) -> pd.DataFrame:
    return compared(run, scores, "HAVIR", [baseline], column).drop(columns=column)


@table
def claims_table(run: Run) -> Table | str:
    """The main claims under each crosstalk (simulates and trains for each of them)."""
    if not run.config.simulated:
        return NONE
    caption = "The main claims under different crosstalk of the simulation (positive: as claimed)."
    note = (
        "split: HAVIR against both branches on all voxels (embedding scores). latent: against w/o "
        f"z'. tokens: against only z'. {PAIRED_NOTE}"
    )
    return Table(crosstalk_claims(run), caption, note)


@figure
def claims_figure(run: Run) -> Drawn | str:
    """The main claims under each crosstalk of the simulation."""
    if not run.config.simulated:
        return NONE
    frame = crosstalk_claims(run).rename(columns={"difference": "value"})
    levels = sorted(frame["crosstalk"].unique())
    frame = frame.assign(
        claim=frame["claim"].map(CLAIMS), level=[f"crosstalk {x:g}" for x in frame["crosstalk"]]
    )
    names = [f"crosstalk {level:g}" for level in levels]
    colours = dict(zip(names, reversed(shades("semantic", len(levels))), strict=True))
    drawn = figure_intervals(
        frame, panel="claim", row="metric", colour="level", colours=colours, zero="no difference",
        xlabel="Difference (right: as claimed)",
    )  # fmt: skip
    caption = "HAVIR minus the baseline of each claim, signed so that positive is as claimed. "
    caption += how_to_read(run, frame)
    return Drawn(drawn, caption, {"claims": frame})
