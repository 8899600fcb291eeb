"""How much disk a run takes, before it starts: from the shapes of what it writes."""

from __future__ import annotations

import importlib.util
import math
import shutil
from dataclasses import dataclass
from pathlib import Path

from havir_lib.config import Config, Weights
from havir_lib.download.plan import human
from havir_lib.errors import RunError, WeightsError
from havir_lib.io import read_json
from havir_lib.paths import MINI_WEIGHTS, Workspace

TRIALS = 750
"""Per session of NSD; each image is shown three times."""
REPEATS = 3
SESSIONS = 40
TEST_IMAGES = 1000
VOXELS = 20_000
"""Of all roles of a subject of NSD, at most."""
CAPTIONS = 5
PREDICTIONS = 5
"""Sets per subject: HAVIR, shuffled voxels, ridge, and two controls."""
RECONSTRUCTIONS = 10
"""Sets per subject: methods, ablations, and latents that are only decoded."""
IN_FULL = 2.5
"""So many more predictions and reconstructions with all baselines and controls."""
FULL_METHODS = 6
"""Methods and controls that train both networks once more for every subject."""
HOURS = 5
"""Points of the curve over hours of data, where the profile names none."""


@dataclass(frozen=True)
class Shapes:
    """Numbers of entries.

    Attributes
    ----------
    latent, image_tokens, text_tokens : int
        Of one image's VAE latent, of its CLIP tokens, of one caption's tokens.
    picture : int
        Bytes of one reconstruction.
    """

    latent: int
    image_tokens: int
    text_tokens: int
    picture: int

    @classmethod
    def of(cls, weights: Weights) -> Shapes:
        """Read from the models' configurations; Versatile Diffusion's where they are not here."""
        unet, vae = _diffusion_configs(weights)
        side, clip = unet["sample_size"], _clip_config(weights)
        vision, text = clip["vision_cfg"], clip["text_cfg"]
        patches = (vision["image_size"] // vision["patch_size"]) ** 2 + 1
        pixels = side * 2 ** (len(vae["block_out_channels"]) - 1)
        return cls(
            unet["in_channels"] * side**2,
            patches * clip["embed_dim"],
            text["context_length"] * clip["embed_dim"],
            3 * pixels**2,
        )


def _diffusion_configs(weights: Weights) -> tuple[dict, dict]:
    from havir_lib.targets.vae import diffusion_folder  # imports torch

    try:
        folder = diffusion_folder(weights)
    except WeightsError:
        return {"sample_size": 64, "in_channels": 4}, {"block_out_channels": range(4)}
    return read_json(folder / "image_unet" / "config.json"), read_json(folder / "vae/config.json")


def _clip_config(weights: Weights) -> dict:
    folder = MINI_WEIGHTS / "clip" if weights.clip == "mini" else Path(weights.clip)
    if folder.is_dir():
        return read_json(folder / "open_clip_config.json")["model_cfg"]
    package = Path(importlib.util.find_spec("open_clip").origin).parent / "model_configs"
    return read_json(package / f"{weights.clip}.json")


def needed(config: Config) -> dict[str, int]:
    """Bytes of everything that a run writes, by what it is; an upper estimate.

    Returns
    -------
    dict
        What is written to bytes. Figures, tables and notebooks, some 100 MB, are left out.
    """
    shapes, data = Shapes.of(config.weights), config.data
    trials, repeats, tests, voxels = _counts(config)
    written = config.simulation.n_sessions if config.simulated else SESSIONS
    n, sessions = len(data.subjects), data.sessions_of(data.base_subject) or written
    images = sessions * trials // repeats
    images += (n - 1) * config.training.transfer_sessions * trials + tests
    again = 1 + _crosstalk_levels(config)  # each is a simulation of its own
    tokens = shapes.image_tokens + shapes.text_tokens
    floats = tests * (shapes.latent + tokens) * 4
    more = IN_FULL if config.comparison.full else 1
    parameters = sum(_parameters(config, shapes, voxels))
    found = {
        "simulated brains": _simulated(config),
        "betas of the regions": again * n * sessions * trials * voxels * 4,
        "targets": again
        * images
        * (shapes.latent + tokens + (CAPTIONS - 1) * shapes.text_tokens)
        * 2,
        "trained networks (best and last)": _trainings(config) * parameters * 8,
        "a checkpoint with moments": parameters * 12,
        "predictions": n * PREDICTIONS * floats * more,
        "reconstructions": n * RECONSTRUCTIONS * tests * shapes.picture * more,
    }
    return {what: int(size) for what, size in found.items() if size}


def _counts(config: Config) -> tuple[int, int, int, int]:
    if not config.simulated:
        return TRIALS, REPEATS, TEST_IMAGES, VOXELS
    given = config.simulation
    volumes = [math.prod(subject.shape) for subject in given.subjects.values()]
    return given.trials_per_session, given.repeats, given.n_shared, max(volumes) // 20


def _crosstalk_levels(config: Config) -> int:
    """Further simulations that claims are tried under."""
    return len(config.comparison.crosstalk) if config.comparison.full and config.simulated else 0


def _trainings(config: Config) -> int:
    """How often both networks are trained."""
    given, n = config.comparison, len(config.data.subjects)
    if not given.full:
        return n
    points = len(given.curve_hours or range(HOURS))
    followed = len(given.curve_subjects or range(n - 1))
    simulated_again = _crosstalk_levels(config) * len(given.crosstalk_subjects or [1])
    curve = 2 * points * followed  # in transfer, and from scratch
    return n * (1 + FULL_METHODS) + given.n_clusters + curve + simulated_again


def _simulated(config: Config) -> int:
    if not config.simulated:
        return 0
    given = config.simulation
    volumes = sum(math.prod(subject.shape) for subject in given.subjects.values())
    betas = given.n_sessions * given.trials_per_session * volumes * 2
    return betas + given.n_images * 3 * given.image_size**2


def _parameters(config: Config, shapes: Shapes, voxels: int) -> tuple[int, int]:
    """Of both networks: first layer, blocks, last layer."""
    low, high = config.structural_generator, config.semantic_extractor
    grid = low.map_channels * low.map_size**2
    structural = low.hidden * (voxels + low.n_blocks * low.hidden + grid)
    tokens = shapes.image_tokens + shapes.text_tokens
    return structural, high.hidden * (voxels + high.n_blocks * high.hidden + tokens)


def check_room(config: Config, workspace: Workspace) -> str:
    """One line that says what a run writes where, if there is room for it.

    Raises
    ------
    RunError
        If less is free than what is still to be written.
    """
    parts = needed(config)
    held = _size(workspace.cache)
    place = next(x for x in (workspace.cache, *workspace.cache.parents) if x.exists())
    free, total = shutil.disk_usage(place).free, sum(parts.values())
    line = f"up to {human(total)} in {workspace.root} ({human(held)} there, {human(free)} free)"
    if total - held > free:
        largest = ", ".join(f"{what} {human(size)}" for what, size in parts.items())
        raise RunError(
            f"There is no room for this run: {line}: {largest}. "
            "Free some, or set workspace to a folder on another disk."
        )
    return f"writes  {line}"


def _size(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file())
