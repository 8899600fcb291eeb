"""Trained subjects that leave a run, and pictures from new betas by one that has left."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
import torch
from PIL import Image, PngImagePlugin
from pydantic import ValidationError

from havir_lib.config import Diffusion, Weights
from havir_lib.data.betas import read_betas
from havir_lib.data.subject import Subject, average_repeats
from havir_lib.data.surface import pair_beside, read_pair
from havir_lib.data.tables import read_names, write_table
from havir_lib.data.zscore import pooled_statistics, session_statistics
from havir_lib.devices import PRECISIONS, precision_on
from havir_lib.errors import ConfigError, DataError, WeightsError
from havir_lib.io import atomic_write, write_json
from havir_lib.models.build import Model
from havir_lib.provenance import origin
from havir_lib.run.images import draw_images, image_seeds
from havir_lib.run.targets import content_of_weights, lengths_of
from havir_lib.targets.vae import diffusion_folder
from havir_lib.training import BRANCHES, Predictions, predict_images
from havir_lib.training.branches import Branch
from havir_lib.training.exported import Exported, load_branch, read_about, save_exported

if TYPE_CHECKING:
    from havir_lib.run.run import Run

By = Literal["file", "training", "none"]
BY = get_args(By)
TABLE, SETTINGS = "reconstructions.tsv", "reconstructions.json"


def export(run: Run, name: str, folder: Path) -> Path:
    """Write a subject's trained branches to `folder`, training them first if need be.

    Raises
    ------
    DataError
        If there is a model already.
    """
    subject, target = run.subject(name), run.targets(name)
    mean, deviation = usual_scale(subject)
    seen = {branch: getattr(subject, branch) for branch in BRANCHES}
    made = Exported(
        models={branch: run.model(name, branch) for branch in BRANCHES},
        voxels={branch: subject.ijk[voxels] for branch, voxels in seen.items()},
        grid=subject.grid,
        surface=subject.anatomy.surface,
        mean={branch: mean[voxels] for branch, voxels in seen.items()},
        deviation={branch: deviation[voxels] for branch, voxels in seen.items()},
        lengths=lengths_of(run, target, subject.train_images),
        about=_about(run, subject),
    )
    save_exported(folder, made)
    return folder


def _about(run: Run, subject: Subject) -> dict:
    return {
        "subject": subject.name,
        "simulated": run.simulated,
        "profile": run.config.variant,
        "zscore": subject.zscore,
        "n_train_trials": len(subject.train_betas),
        "weights": run.config.weights.model_dump(exclude={"hub_cache"}),
        "weights_content": run.weights_content,
        "diffusion": run.config.diffusion.model_dump(exclude={"precision"}),
        "seed": run.config.seed,
    }


def usual_scale(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Mean and SD (V,) of an average session's training trials, in % signal change."""
    sessions, is_train = subject.trials["session"].to_numpy(), subject.trials["is_train"].to_numpy()
    mean, deviation = pooled_statistics(session_statistics(subject.betas, sessions, is_train))
    return mean * subject.unit, deviation * subject.unit


def base_model(run: Run, branch: Branch) -> Model | None:
    """The network that every subject starts from, if the profile names an exported one.

    Raises
    ------
    WeightsError
        If it was trained for the latents and tokens of other weights.
    """
    folder = run.config.training.base_model
    if folder is None:
        return None
    check_same_weights(read_about(Path(folder)), run.weights_content)
    return load_branch(Path(folder), branch)


def check_same_weights(about: dict[str, Any], content: str) -> None:
    """Whether the model so described predicts what weights of this content draw from.

    Raises
    ------
    WeightsError
        If it was trained for the latents and tokens of others.
    """
    if about["weights_content"] != content:
        named = ", ".join(str(about["weights"][part]) for part in ("diffusion", "clip"))
        raise WeightsError(
            f"The model of {about['subject']}: expected one that predicts latents and tokens of "
            "these weights; it was trained with other weights, or another version of them (then "
            f"named {named})."
        )


def reconstruct(
    model: Exported,
    files: Sequence[Path],
    folder: Path,
    names: Sequence[str] | None = None,
    by: By = "file",
    unit: float = 1.0,
    sampling: Diffusion | None = None,
    weights: Weights | None = None,
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """Reconstruct pictures from new betas of the subject that `model` was trained on.

    Parameters
    ----------
    model : Exported
    files : sequence of Path
        Single-trial betas, NIfTI or HDF5, a file per session, on the grid of the model's. On a
        surface: the left hemisphere's, which has the right one's beside it.
    folder : Path
        Receives ``<image>.png``, a table and the settings.
    names : sequence of str, optional
        Image of every trial of all files, in their order; trials of one image are averaged.
        None: every trial by itself.
    by : {"file", "training", "none"}
        Z-score by all trials of each file, by an average session of training, or not.
    unit : float
        Factor from stored values to % signal change.
    sampling, weights : Diffusion, Weights, optional
        Default: as the model was exported with.
    device : torch.device or str

    Returns
    -------
    DataFrame
        Columns file, image, n_trials, data: what was written, in ``reconstructions.tsv``, too.

    Raises
    ------
    ConfigError
        If `by` is something else.
    DataError, ShapeError
        If betas lie elsewhere, are not finite, or are not as many as `names`.
    WeightsError
        If the weights are not those whose latents and tokens the model predicts.
    """
    if by not in BY:
        raise ConfigError(f"z-scoring: expected one of {', '.join(BY)}, found {by!r}.")
    chosen = weights or Weights(**model.about["weights"])
    check_same_weights(model.about, content_of_weights(chosen))
    sampling = sampling or Diffusion(**model.about["diffusion"])
    trials = all_betas(model, files, by, unit)
    labels, rows = _images(names, len(trials["semantic"]))
    betas = {branch: average_repeats(x, rows)[0] for branch, x in trials.items()}
    predicted = _predictions(model, betas, np.arange(len(labels)), device)
    images = _draw(predicted, chosen, sampling, model.about["seed"], device)
    return _write(folder, images, labels, np.bincount(rows), model, sampling)


def sections(model: Exported, overrides: dict[str, Any]) -> dict[str, Diffusion | Weights]:
    """Settings of a model's sampler and weights, with changes by dotted keys.

    Raises
    ------
    ConfigError
        If a key is of another section, or a value is none that the setting can have.
    """
    kinds = {"diffusion": Diffusion, "weights": Weights}
    content = {name: dict(model.about[name]) for name in kinds}
    for key, value in overrides.items():
        section, _, setting = key.partition(".")
        if section not in kinds or setting not in kinds[section].model_fields:
            raise ConfigError(f"{key}: expected a setting of diffusion or weights.")
        content[section][setting] = value
    try:
        made = {name: kind(**content[name]) for name, kind in kinds.items()}
    except ValidationError as error:
        raise ConfigError(f"{model.about['subject']}: {error}") from None
    return {"sampling": made["diffusion"], "weights": made["weights"]}


def read_images(path: Path) -> list[str]:
    """Names in the column ``image`` of a table separated by tabs, one line per trial."""
    return read_names(path, ("image",))["image"].tolist()


def all_betas(
    model: Exported, files: Sequence[Path], by: By, unit: float
) -> dict[Branch, np.ndarray]:
    """Z-scored betas (n_trials, V) of each branch's voxels; every file is read once."""
    voxels, mean, deviation = (
        np.concatenate([part[branch] for branch in BRANCHES])
        for part in (model.voxels, model.mean, model.deviation)
    )
    scale = (mean / unit, deviation / unit)
    parts = [
        _zscored(Path(path), _stored(model, Path(path), voxels), scale, by, unit) for path in files
    ]
    ends = np.cumsum([len(model.voxels[branch]) for branch in BRANCHES])[:-1]
    return dict(zip(BRANCHES, np.split(np.concatenate(parts), ends, axis=1), strict=True))


def _stored(model: Exported, path: Path, voxels: np.ndarray) -> np.ndarray:
    """Betas (n_trials, V) of one session, as they are stored."""
    if model.surface is None:
        return read_betas(path, voxels, model.grid).astype(np.float32)
    values = read_pair(pair_beside(path), "Betas", model.surface)
    return values[voxels[:, 0]].T.astype(np.float32)


def _zscored(
    path: Path, values: np.ndarray, scale: tuple[np.ndarray, np.ndarray], by: By, unit: float
) -> np.ndarray:
    """Betas (n_trials, V) of one session in the scale that networks see."""
    if not np.isfinite(values).all():
        n = int((~np.isfinite(values).all(axis=0)).sum())
        raise DataError(
            f"{path}: expected numbers in the {values.shape[1]} voxels that the model sees; {n} "
            "are NaN or infinite in some trial."
        )
    if by == "none":
        return values * np.float32(unit)
    mean, deviation = scale
    if by == "file":
        mean, deviation = values.mean(axis=0, dtype=float), values.std(axis=0, dtype=float)
        if not (deviation > 0).all():
            raise DataError(
                f"{path}: cannot z-score {len(values)} trials by themselves: some voxels have one "
                "value in all of them. Use the scale of training instead."
            )
    return ((values - mean) / deviation).astype(np.float32)


def _images(names: Sequence[str] | None, n: int) -> tuple[list[str], np.ndarray]:
    """Names of the images, and the image of each trial as a row of these."""
    if names is None:
        return [f"trial{i + 1:04d}" for i in range(n)], np.arange(n)
    if len(names) != n:
        raise DataError(
            f"Expected a line per trial: there are {len(names)} images and {n} trials of betas."
        )
    labels, rows = np.unique(np.asarray(names), return_inverse=True)
    return labels.tolist(), rows


def _predictions(
    model: Exported, betas: dict[Branch, np.ndarray], ids: np.ndarray, device: torch.device | str
) -> Predictions:
    return predict_images(
        model.models["semantic"],
        betas["semantic"],
        ids,
        model.lengths,
        model.models["structural"],
        betas["structural"],
        device=device,
    )


def _draw(
    predicted: Predictions,
    weights: Weights,
    sampling: Diffusion,
    seed: int,
    device: torch.device | str,
) -> np.ndarray:
    from havir_lib.diffusion import load_diffusion  # takes seconds to import

    precision = PRECISIONS[precision_on(device, sampling.precision)]
    load = partial(load_diffusion, diffusion_folder(weights), device, precision)
    options = sampling.model_dump(exclude={"precision"})
    seeds = image_seeds(predicted.image_ids, seed)
    return draw_images(
        predicted.latents, predicted.image_tokens, predicted.text_tokens, seeds, options, load
    )


def _write(
    folder: Path,
    images: np.ndarray,
    labels: list[str],
    n_trials: np.ndarray,
    model: Exported,
    sampling: Diffusion,
) -> pd.DataFrame:
    data = origin(model.about["simulated"])
    for label, image in zip(labels, images, strict=True):
        told = PngImagePlugin.PngInfo()
        told.add_text("data", data)
        with atomic_write(folder / f"{label}.png") as temporary:
            Image.fromarray(image).save(temporary, pnginfo=told)
    table = pd.DataFrame(
        {"file": [f"{label}.png" for label in labels], "image": labels, "n_trials": n_trials,
         "data": data}
    )  # fmt: skip
    write_table(folder / TABLE, table)
    settings = {"model": model.about, "diffusion": sampling.model_dump(), "data": data}
    write_json(folder / SETTINGS, settings)
    return table
