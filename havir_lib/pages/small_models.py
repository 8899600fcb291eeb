"""Check of the small models that ship with the package: one table and two figures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from havir_lib import mini
from havir_lib.mini.data import EVALUATION_SEED, load_scenes
from havir_lib.paths import MINI_WEIGHTS
from havir_lib.plots import figure_contact_sheet, save_figure
from havir_lib.plots.mini import figure_guidance
from havir_lib.provenance import digest, file_digest, record
from havir_lib.reports import save_table
from havir_lib.run import Run

N_SHOWN = 40
NOTE = (
    "Held-out scenes that no model was trained on; n is how many. An object is found if a linear "
    "probe on image tokens is surer of it than for 95 % of the held-out pictures without it; it is "
    "ranked first if no category scores higher. Guidance: 16 steps, noise strength 0.7, guidance "
    "scale 3, mixing 0.4; recovery as the demo samples."
)


def publish_small_models(
    run: Run, folder: Path, weights: Path = MINI_WEIGHTS, n_generated: int = 1000
) -> pd.DataFrame:
    """Measure the small models; write ``mini_models``, ``mini_guidance`` and ``mini_scenes``.

    Parameters
    ----------
    run : Run
        Says where tables and figures go, and on which device to compute.
    folder : Path
        Cache for rendered scenes.
    weights : Path
    n_generated : int
        Held-out scenes that are generated.

    Returns
    -------
    DataFrame
        Columns metric, value, target, n.
    """
    files = sorted(Path(weights).rglob("*.safetensors"))
    made_from = record(
        run.config,
        {
            "weights": digest([file_digest(file) for file in files]),
            "first_scene": EVALUATION_SEED,
            "n_generated": n_generated,
        },
        simulated=True,
    )
    place, caption = run.workspace, "The small models on held-out scenes."
    scenes = load_scenes(folder, N_SHOWN, EVALUATION_SEED)
    sheet = figure_contact_sheet(scenes.images, per_row=8)
    caption_of_sheet = "Scenes drawn at random, as the simulated subjects see them."
    save_figure(sheet, place.figures, "mini_scenes", made_from, True, caption=caption_of_sheet)
    swept = figure_guidance(mini.guidance_sweep(folder, weights, run.device))
    what = "How far generated pictures follow their tokens (mean and 95 % interval over scenes)."
    save_figure(swept, place.figures, "mini_guidance", made_from, True, caption=what)
    frame = mini.evaluate_models(folder, weights, run.device, n_generated=n_generated)
    save_table(frame, place.tables, "mini_models", made_from, True, NOTE, caption)
    return frame
