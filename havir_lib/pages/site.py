"""What the site of a run shows besides its figures and tables: first page, explorer, methods text.

Everything comes from the cache of the run; nothing is trained or drawn anew, but for small copies
of pictures and one map per subject and branch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from havir_lib.data.zscore import WHAT_IT_SEES
from havir_lib.devices import describe_device
from havir_lib.evaluation.metrics import METRICS
from havir_lib.io import atomic_write
from havir_lib.pages.ablations import ablation_subjects
from havir_lib.pages.brain_maps import without_places
from havir_lib.pages.claims import claims
from havir_lib.pages.comparison import method_scores
from havir_lib.pages.complexity import SCENE_TABLE, scene_complexity
from havir_lib.pages.importance import importance_volume
from havir_lib.pages.index import results_of
from havir_lib.pages.pictures import random_rows
from havir_lib.pages.summaries import MEAN
from havir_lib.plots.interpretation import figure_map
from havir_lib.plots.style import ROLE_NAMES
from havir_lib.reports.site import Front, Question, build_site, notebook_pages
from havir_lib.run import Run
from havir_lib.run.images import configurations
from havir_lib.training import BRANCHES

MOST = 120
"""Images of a subject in the explorer; of more, so many are drawn at random."""
SIDE = 256
"""Pixels that a picture of the explorer has at most."""
BETWEEN = ("shuffled voxels", "HAVIR", "true targets")
KINDS = {"holds": "holds", "contradicted": "against", "depends on the score": "against"}


def publish_site(
    run: Run,
    out: Path,
    notebooks: Sequence[tuple[str, Sequence[str | None], Sequence[Path]]],
    reproduced: str = "",
    took: Mapping[str, float] | None = None,
) -> Path:
    """Write the site of a run.

    Parameters
    ----------
    run : Run
    out : Path
        Folder of the site.
    notebooks : sequence of (name, subjects, executed copies)
        Of this run; a notebook that has no copies per subject has the subject None.
    reproduced : str
        How its numbers compare with the reference.
    took : mapping, optional
        Seconds by step.
    """
    questions = [
        Question(name, _results(name, subjects), [path for path in executed if path.is_file()])
        for name, subjects, executed in notebooks
    ]
    place = run.workspace
    bodies = notebook_pages(questions, workers=2)  # beside what follows
    return build_site(
        out, place.figures, place.tables, questions, front(run, reproduced, took or {}),
        explorer(run, out / "explorer"), bodies,
    )  # fmt: skip


def _results(notebook: str, subjects: Sequence[str | None]) -> list[tuple[str, str]]:
    made = [pair for subject in subjects for pair in results_of(notebook, subject)]
    return list(dict.fromkeys((page.kind, name) for page, name in made))


# --- the first page


def front(run: Run, reproduced: str, took: Mapping[str, float]) -> Front:
    """What was run, and what came out."""
    kind = "simulated" if run.simulated else "measured"
    return Front(
        title=f"{run.config.variant}: {len(run.subjects)} {kind} "
        f"subject{'s' if len(run.subjects) > 1 else ''}",
        facts=facts(run) | ({"took": spent(took)} if took else {}),
        verdicts=verdicts(run),
        scores=between(run),
        reproduced=reproduced.partition("\n")[0],
        methods=methods_text(run),
        simulated=run.simulated,
    )


def facts(run: Run) -> dict[str, str]:
    """Name → value: data, networks, machine."""
    base = run.subject(run.base_subject)
    sampling = run.config.diffusion
    return {
        "data": "SIMULATED subjects" if run.simulated else "measured subjects",
        "subjects": ", ".join(run.subjects),
        "training trials": ", ".join(
            f"{len(run.subject(name).train_betas):,}" for name in run.subjects
        ),
        "test images": f"{len(base.test_images)}, {base.test_repeats.mean():.1f} repeats each",
        "weights": f"{run.config.weights.diffusion}; CLIP {run.config.weights.clip}",
        "sampler": f"{sampling.scheduler}, {sampling.steps} steps, {sampling.precision}",
        "computed on": f"{describe_device(run.device)}, {os.cpu_count()} cores, torch "
        f"{torch.__version__}",
    }


def spent(took: Mapping[str, float]) -> str:
    """Time that steps took, in words."""
    minutes = max(1, round(sum(took.values()) / 60))
    return f"{minutes} min in {len(took)} steps, of which several go on at a time"


def verdicts(run: Run) -> list[dict[str, Any]]:
    """Claims for which this run has evidence."""
    return [
        {
            "claim": row.claim,
            "verdict": row.verdict,
            "kind": KINDS.get(row.verdict, "open"),
            "detail": f"{row.in_favour} of {row.tests} tests for, {row.against} against "
            f"(n = {row.n}, {row.whose})",
        }
        for row in claims(run).rename(columns={"for": "in_favour"}).itertuples()
    ]


def between(run: Run) -> list[dict[str, Any]]:
    """Each metric's mean of HAVIR, between that of shuffled voxels and of true targets."""
    frame = method_scores(run)
    frame = frame[(frame["subject"] == MEAN) | (frame["subject"].nunique() == 1)]
    wide = frame.pivot_table(index="metric", columns="method", values="value", sort=False)
    rows = []
    for metric, row in wide.iterrows():
        floor, value, bound = (row[name] for name in BETWEEN)
        share = (value - floor) / (bound - floor) if bound != floor else np.nan
        rows.append({
            "metric": METRICS[metric].label, "floor": f"{floor:.3f}", "value": f"{value:.3f}",
            "bound": f"{bound:.3f}", "percent": f"{100 * np.clip(np.nan_to_num(share), 0, 1):.0f}",
        })  # fmt: skip
    return rows


def methods_text(run: Run) -> list[str]:
    """Paragraphs that say what this run did, in words that a paper can use."""
    config, base = run.config, run.subject(run.base_subject)
    training, sampling, roles = config.training, config.diffusion, config.data.roles
    images = len(np.unique(base.train_images))
    others = run.others
    data = (
        "All subjects are SIMULATED: no number says anything about a brain. " if run.simulated
        else ""
    ) + (
        f"Single-trial betas of {run.base_subject} comprised {len(base.train_betas)} training "
        f"trials of {images} images and {len(base.test_images)} test images (mean over "
        f"{base.test_repeats.mean():.1f} repeats). Betas were z-scored voxel by voxel, "
        f"{WHAT_IT_SEES[base.zscore]}. Structural voxels ({base.structural.sum()}) were those of "
        f"{', '.join(roles.structural)}, semantic voxels ({base.semantic.sum()}) those of "
        f"{', '.join(roles.semantic)}; voxels of both went to: {roles.overlap}."
    )  # fmt: skip
    fit = training.structural
    decoders = (
        "The Structural Generator predicts the VAE latent of the image with mean squared error and "
        f"a Sobel loss (weight {training.losses.sobel:g}), the Semantic Extractor CLIP image and "
        "text tokens with SoftCLIP and mean squared error (temperature "
        f"{training.losses.temperature:g}; HAVIR, appendix A to C, Eqs. 1 to 6). AdamW ran for "
        f"{fit.epochs} and {training.semantic.epochs} epochs at learning rates of up to "
        f"{fit.learning_rate:g} and {training.semantic.learning_rate:g}; the epoch with the least "
        "loss on held-out training images was kept."
    )
    if others:
        decoders += (
            f" {', '.join(others)} started from that model with a new first layer and "
            f"{training.transfer_sessions} session(s) of training trials."
        )
    drawing = (
        f"Images were drawn with {sampling.scheduler} in {sampling.steps} steps from the predicted "
        f"latent noised to a strength of {sampling.strength:g}, with a guidance scale of "
        f"{sampling.guidance_scale:g} and a text share (mixing) of {sampling.mixing:g} (Eqs. 7 to "
        f"10), by {config.weights.diffusion}. Predicted tokens were given the mean length of "
        "training tokens."
    )
    settings = config.evaluation
    scoring = (
        f"Reconstructions were scored by {', '.join(settings.metrics)}. Intervals are "
        f"{100 * settings.confidence:.0f} % bootstrap intervals over test images"
        f"{' and subjects' if len(run.subjects) > 1 else ''} ({settings.n_bootstrap} draws); "
        "methods were compared in pairs by image, with Holm's correction. Floor and bound are the "
        "same networks with shuffled voxels, and the true targets. Seed "
        f"{config.seed}; made with the HAVIR companion."
    )
    return [data, decoders, drawing, scoring]


# --- the explorer


def explorer(run: Run, folder: Path) -> dict[str, Any]:
    """Copy pictures into `folder`, and give what the explorer's page needs to know."""
    ids = _images_shown(run)
    frame = _described(run, ids)
    stimuli = run.stimuli.images(frame["id"].to_numpy())
    for image, pixels in zip(frame["id"], stimuli, strict=True):
        _copy(pixels, folder / "stimuli" / f"{image}.webp")
    names = _columns(run)
    labels = list(dict.fromkeys(label for methods in names.values() for label in methods))
    scores: dict[str, dict[str, dict[int, list[float]]]] = {}
    for subject, methods in names.items():
        scores[subject] = {}
        for label, (method, configuration) in methods.items():
            made = run.images(subject, method, configuration)
            shown = [image for image in made.image_ids.tolist() if image in ids[subject]]
            place = folder / subject / str(labels.index(label))
            for image, pixels in zip(shown, made.of(np.array(shown)), strict=True):
                _copy(pixels, place / f"{image}.webp")
            scores[subject][label] = _scores(run, subject, method, configuration, shown)
    total = max(len(run.test_images(name)) for name in run.subjects)
    return {
        "metrics": [
            {"name": name, "label": METRICS[name].label, "higher": METRICS[name].higher_is_better}
            for name in run.config.evaluation.metrics
        ],
        "methods": labels,
        "images": frame.to_dict("records"),
        "seen": {name: sorted(ids[name]) for name in run.subjects},
        "sampled": total if total > MOST else 0,
        "scores": scores,
        "maps": {name: _maps(run, name, folder) for name in run.subjects},
    }


def _images_shown(run: Run) -> dict[str, set[int]]:
    found = {}
    for name in run.subjects:
        ids = run.test_images(name)
        found[name] = {int(x) for x in ids[random_rows(run.config.seed, len(ids), MOST)]}
    return found


def _described(run: Run, ids: dict[str, set[int]]) -> pd.DataFrame:
    """Columns id, caption, complexity, group."""
    wanted = np.array(sorted(set().union(*ids.values())))
    frame = scene_complexity(run).set_index("image").loc[wanted]
    path = run.data_root / SCENE_TABLE
    group = frame["stratum"].astype(str) + " scenes"
    if path.is_file():
        group = pd.read_csv(path).set_index("nsdId")["setting"].loc[wanted].astype(str)
    said = [texts[0] for texts in run.stimuli.captions(wanted, 1)]
    return pd.DataFrame({
        "id": wanted, "caption": said, "complexity": frame["edge density"].round(4).to_numpy(),
        "group": group.to_numpy(),
    })  # fmt: skip


def _columns(run: Run) -> dict[str, dict[str, tuple[str, str]]]:
    """Subject → label → method and configuration, of what the run has drawn."""
    methods = {name: (name, "HAVIR") for name in run.method_names()}
    ablated = {f"HAVIR {name}": ("HAVIR", name) for name in configurations(run)[1:]}
    subjects = ablation_subjects(run)
    return {name: methods | (ablated if name in subjects else {}) for name in run.subjects}


def _scores(
    run: Run, subject: str, method: str, configuration: str, shown: list[int]
) -> dict[int, list[float]]:
    """Image → values, in the order of the metrics."""
    frame = run.scores(subject, method, configuration)
    wide = frame.pivot(index="image", columns="metric", values="value")
    wide = wide[run.config.evaluation.metrics].loc[shown].round(4)
    return {
        int(image): row.tolist() for image, row in zip(wide.index, wide.to_numpy(), strict=True)
    }


def _maps(run: Run, name: str, folder: Path) -> dict[str, dict[str, Any]]:
    """One picture of each branch's importance map, where places are known."""
    if without_places(run, [name]):
        return {}
    found = {}
    for branch in BRANCHES:
        figure = figure_map(importance_volume(run, name, branch), branch)
        path = folder / "maps" / f"{name}_{branch}.webp"
        with atomic_write(path) as temporary:
            figure.savefig(temporary, dpi=200, format="webp")
        with Image.open(path, formats=["WEBP"]) as image:
            width, height = image.size
        caption = f"{ROLE_NAMES[branch]} of {name}: L2 norm of each voxel's first-layer weights."
        stamp = "SIMULATED. " if run.simulated else ""
        found[branch] = {"file": f"explorer/maps/{path.name}", "caption": stamp + caption,
                         "width": width, "height": height}  # fmt: skip
    return found


def _copy(pixels: np.ndarray, path: Path) -> None:
    image = Image.fromarray(pixels)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    with atomic_write(path) as temporary:
        image.save(temporary, format="WEBP", quality=88)
