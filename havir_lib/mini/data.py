"""Scenes for training and checking the small models: pictures, captions and object labels.

Scene seeds are integers. Training uses ``0 .. n - 1``, the check uses the held-out range from
``EVALUATION_SEED``; the simulated experiment draws its scenes from one billion up, so none of its
pictures, training or test, was seen here.

Shape words: n scenes, P = 8 x 8 patches of 16 pixels (row by row), K categories.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from havir_lib.cache.remember import remember_folder
from havir_lib.errors import ConfigError
from havir_lib.io import load_arrays, read_json, save_arrays, write_json
from havir_lib.parallel import in_processes
from havir_lib.simulation import scenes
from havir_lib.simulation.scenes import (
    CATEGORIES,
    LIGHTS,
    SETTINGS,
    Scene,
    make_scene,
    make_twin,
    render,
)

SIZE = 128
PATCH = 16
EVALUATION_SEED = 500_000_000
EXPERIMENT_SEED = 1_000_000_000
CHUNK = 256
MIN_VISIBLE = 0.25
"""An object hidden more than this counts as absent: nobody could name it."""


@dataclass(frozen=True)
class SceneSet:
    """Pictures with everything the small models learn from.

    Attributes
    ----------
    images : ndarray, uint8 (n, 128, 128, 3)
        A read-only memory map.
    captions : list of n lists of 5 str
    labels : ndarray, bool (n, K + settings + lights)
        What is in the picture: categories, then setting and light (one of each).
    patches : ndarray, bool (n, 64, K)
        Which categories' boxes hold the centre of each patch.
    main : ndarray, int (n,)
        Category of the main object.
    """

    images: np.ndarray
    captions: list[list[str]]
    labels: np.ndarray
    patches: np.ndarray
    main: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def first(self, n: int) -> SceneSet:
        """The first `n` scenes."""
        fields = {field.name: getattr(self, field.name)[:n] for field in dataclasses.fields(self)}
        return SceneSet(**fields)


def load_scenes(
    root: Path, n: int, first: int = 0, workers: int | None = None, *, twins: bool = False
) -> SceneSet:
    """Scenes `first` to ``first + n - 1``, rendered into the cache under `root` if not there yet.

    With `twins`, each with another main object in the place of its own (as it is where nothing
    else fits); see :func:`havir_lib.simulation.scenes.make_twin`.

    Raises
    ------
    ConfigError
        If the range reaches into the seeds of the simulated experiment.
    """
    if first + n > EXPERIMENT_SEED:
        raise ConfigError(
            f"Expected scene seeds below {EXPERIMENT_SEED}, found {first} to {first + n - 1}: "
            "those belong to the simulated experiment, whose pictures must stay unseen."
        )
    made = remember_folder(
        root,
        "scenes",
        _build,
        first,
        n,
        twins,
        how={"workers": workers or os.cpu_count() or 1},
        also=(scenes,),
    )
    return read_scenes(made.path)


def read_scenes(folder: Path) -> SceneSet:
    """Open a finished folder of scenes."""
    arrays = load_arrays(folder / "labels.npz")
    return SceneSet(
        images=np.load(folder / "images.npy", mmap_mode="r"),
        captions=read_json(folder / "captions.json"),
        **arrays,
    )


def _build(folder: Path, first: int, n: int, twins: bool, workers: int) -> None:
    starts = [s for s in range(first, first + n, CHUNK) if not _chunk(folder, s).is_file()]
    stops = [min(start + CHUNK, first + n) for start in starts]
    calls = [(folder, start, stop, twins) for start, stop in zip(starts, stops, strict=True)]
    jobs = in_processes(_render_chunk, calls, min(workers, len(starts) or 1))
    for _ in tqdm(jobs, total=len(starts), desc="scenes", unit=f"x{CHUNK}"):
        pass
    _join(folder, range(first, first + n, CHUNK), n)


def _chunk(folder: Path, start: int) -> Path:
    return folder / f"chunk-{start:010d}.npz"


def _render_chunk(folder: Path, start: int, stop: int, twins: bool) -> None:
    make = _twin_or_itself if twins else make_scene
    scenes = [make(seed) for seed in range(start, stop)]
    save_arrays(
        _chunk(folder, start),
        images=np.stack([render(scene.svg, SIZE) for scene in scenes]),
        captions=np.array(json.dumps([scene.captions for scene in scenes])),
        labels=np.stack([scene_labels(scene) for scene in scenes]),
        patches=np.stack([patch_labels(scene) for scene in scenes]),
        main=np.array([main_category(scene) for scene in scenes]),
    )


def _twin_or_itself(seed: int) -> Scene:
    return make_twin(seed) or make_scene(seed)


def _join(folder: Path, starts: range, n: int) -> None:
    images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (n, SIZE, SIZE, 3))
    captions, rest = [], []
    for start in starts:
        chunk = load_arrays(_chunk(folder, start))
        at = start - starts[0]
        pixels = chunk.pop("images")
        images[at : at + len(pixels)] = pixels
        captions += json.loads(str(chunk.pop("captions")))
        rest.append(chunk)
    images.flush()
    write_json(folder / "captions.json", captions)
    save_arrays(folder / "labels.npz", **{k: np.concatenate([c[k] for c in rest]) for k in rest[0]})
    for start in starts:
        _chunk(folder, start).unlink()


LABELS: tuple[str, ...] = (*CATEGORIES, *SETTINGS, *LIGHTS)


def scene_labels(scene: Scene) -> np.ndarray:
    """Which of `LABELS` (categories, settings, lights) are true of a scene: bool (n_labels,)."""
    seen = {o.category for o in scene.objects if o.main or o.visible >= MIN_VISIBLE}
    return np.array(
        [name in seen for name in CATEGORIES]
        + [name == scene.setting for name in SETTINGS]
        + [name == scene.light for name in LIGHTS]
    )


def patch_labels(scene: Scene) -> np.ndarray:
    """Categories whose box holds the centre of each patch, row by row: bool (64, K)."""
    side = SIZE // PATCH
    centres = (np.arange(side) + 0.5) / side
    labels = np.zeros((side, side, len(CATEGORIES)), bool)
    index = {name: i for i, name in enumerate(CATEGORIES)}
    for item in scene.objects:
        if not (item.main or item.visible >= MIN_VISIBLE):
            continue
        x0, y0, x1, y1 = item.box
        inside = np.outer((centres >= y0) & (centres <= y1), (centres >= x0) & (centres <= x1))
        labels[..., index[item.category]] |= inside
    return labels.reshape(side * side, -1)


def main_category(scene: Scene) -> int:
    """Index of the main object's category in the order of `CATEGORIES`."""
    main = next(item.category for item in scene.objects if item.main)
    return list(CATEGORIES).index(main)
