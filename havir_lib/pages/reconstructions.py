"""Notebook 06: the reconstructions. Figure 2."""

from __future__ import annotations

import numpy as np

from havir_lib.pages.pictures import chosen_of, chosen_rows, how_chosen, random_of, random_rows
from havir_lib.pages.publish import Drawn, Table, figure, table
from havir_lib.pages.summaries import compared, how_to_read, ranked
from havir_lib.plots import figure_gallery, figure_reconstructions
from havir_lib.plots.comparison import figure_shuffled
from havir_lib.run import Run

SHUFFLED = ("HAVIR", "shuffled voxels")


@figure
def figure2(run: Run) -> Drawn:
    """Figure 2: chosen test images (caption, stimulus, one reconstruction per subject)."""
    chosen = chosen_of(run)
    return _subjects_grid(run, chosen, how_chosen(chosen))


@figure
def random(run: Run) -> Drawn:
    """The same for test images drawn at random."""
    return _subjects_grid(run, random_of(run), "drawn at random from those not chosen")


def _subjects_grid(run: Run, rows: np.ndarray, how: str) -> Drawn:
    ids = run.subject(run.base_subject).test_images[rows]
    columns = {name: run.images(name).where_seen(ids) for name in run.subjects}
    captions = [five[0] for five in run.stimuli.captions(ids, 1)]
    drawn = figure_reconstructions(captions, run.stimuli.images(ids), columns)
    return Drawn(drawn, f"Reconstructions of test images ({how}), one per subject.", columns)


@figure
def gallery(run: Run) -> Drawn:
    """Random reconstructions of the base subject beside chosen ones, and saying which are which."""
    name, n = run.base_subject, run.config.figures.n_random
    truth, made = run.test_stimuli(name), run.images(name).images
    chosen = chosen_rows(run, n // 2)
    drawn = random_rows(run.config.seed, len(made), n, chosen)
    groups = (
        f"Chosen: best mean rank over all metrics, one of each of {len(chosen)} groups ({name})"
    )
    sections = {
        groups: (truth[chosen], made[chosen]),
        f"Drawn at random from the others ({name}, seed {run.config.seed})": (
            truth[drawn],
            made[drawn],
        ),
    }
    caption = (
        "Chosen reconstructions, and others drawn at random; each to the right of its stimulus."
    )
    return Drawn(figure_gallery(sections), caption, {"reconstructions": made})


@figure
def shuffled(run: Run) -> Drawn:
    """Real against shuffled voxels, per metric and subject."""
    scores = ranked(run, run.all_scores(SHUFFLED), "method")
    caption = "Control: the same networks with real and with shuffled voxels. "
    caption += how_to_read(run, scores, "images")
    return Drawn(figure_shuffled(scores), caption, {"scores": scores})


@table
def shuffled_table(run: Run) -> Table:
    """Paired differences between real and shuffled voxels, per subject and metric."""
    frame = compared(run, run.all_scores(SHUFFLED), *("HAVIR", ["shuffled voxels"]), by=["subject"])
    caption = "Real against shuffled voxels (paired by image; positive: real is better)."
    return Table(frame, caption, options={"columns": None})
