"""Notebook 00: what runs, and Figure 1."""

from __future__ import annotations

import numpy as np
import pandas as pd

from havir_lib.data.zscore import WHAT_IT_SEES
from havir_lib.devices import describe_device
from havir_lib.pages.brain_maps import role_volume
from havir_lib.pages.pictures import random_rows
from havir_lib.pages.publish import Drawn, figure
from havir_lib.plots import figure_contact_sheet
from havir_lib.plots.framework import FrameworkPictures, figure_framework, role_slice
from havir_lib.plots.rois import BrainMap
from havir_lib.run import Run
from havir_lib.run.data import first_stimuli


def overview(run: Run) -> pd.DataFrame:
    """The choices of this run that matter most to a reader."""
    config, sampling = run.config, run.config.diffusion
    return pd.Series(
        {
            "profile": config.profile,
            "data": "SIMULATED" if run.simulated else "measured",
            "subjects": ", ".join(run.subjects),
            "base subject": run.base_subject,
            "z-scoring": WHAT_IT_SEES[config.data.zscore],
            "diffusion weights": config.weights.diffusion,
            "CLIP weights": config.weights.clip,
            "sampler": f"{sampling.scheduler}, {sampling.steps} steps, {sampling.precision}",
            "device": describe_device(run.chosen_device),
        },
        name="value",
    ).to_frame()


NO_PLACES = np.full((60, 60, 3), 225, np.uint8)
"""Instead of a slice, where it is not known where voxels lie."""


@figure
def first_look(run: Run) -> Drawn:
    """The first pictures of the experiment, before anything else is read or simulated."""
    pictures = first_stimuli(run, 8)
    sheet = figure_contact_sheet(pictures, per_row=8)
    return Drawn(sheet, "The first stimuli of the experiment.", {"stimuli": pictures})


@figure
def stimuli(run: Run) -> Drawn:
    """A contact sheet of test stimuli."""
    pictures = run.test_stimuli(run.base_subject)[:16]
    sheet = figure_contact_sheet(pictures, per_row=8)
    return Drawn(sheet, "Stimuli of the test set.", {"stimuli": pictures})


def _slice(maps: BrainMap) -> np.ndarray:
    return role_slice(maps.background, maps.volume)


@figure
def framework(run: Run) -> Drawn:
    """Figure 1: the method's stations, with pictures made from one stimulus's true targets."""
    name = run.base_subject
    truth = run.test_stimuli(name)
    row = int(random_rows(run.config.seed, len(truth), 1)[0])
    made = run.images(name, "true targets").images[row]
    latent = run.images(name, "true targets", "only z'").images[row]
    known = run.subject(name).has_places
    brain = _slice(role_volume(run, name)) if known else NO_PLACES
    pictures = FrameworkPictures(
        brain=brain,
        stimulus=truth[row],
        latent=latent,
        reconstruction=made,
        caption=run.stimuli.captions(run.subject(name).test_images[[row]], 1)[0][0],
    )
    caption = "HAVIR: two sets of voxels, two decoders, one diffusion model."
    shown = {"stimulus": truth[row], "decoded latent": latent, "reconstruction": made}
    return Drawn(figure_framework(pictures), caption, shown)
