"""The pictures and captions of the simulated experiment, in NSD's and COCO's formats."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from havir_lib.io import atomic_write, write_text
from havir_lib.parallel import in_processes
from havir_lib.simulation.experiment import Experiment
from havir_lib.simulation.scenes import attributes, make_scene, render
from havir_lib.simulation.tables import stimulus_table

STIMULI = "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5"
SCENES = "nsddata/experiments/nsd/scene_info.csv"
CAPTIONS = "nsddata_stimuli/stimuli/nsd/annotations/captions_{split}.json"
ATTRIBUTE_FILE = "truth/attributes.npy"
BATCH = 32
COMPRESSION = 4


@dataclass(frozen=True)
class DrawnScene:
    """One scene, drawn: zlib-compressed pixels and everything known about it."""

    pixels: bytes
    captions: tuple[str, ...]
    attributes: np.ndarray
    info: dict


def draw_scenes(seeds: list[int], size: int) -> list[DrawnScene]:
    """Draw the scenes of some seeds; runs in a worker process."""
    return [_draw_one(seed, size) for seed in seeds]


def _draw_one(seed: int, size: int) -> DrawnScene:
    scene = make_scene(seed)
    pixels = zlib.compress(render(scene.svg, size).tobytes(), COMPRESSION)
    main = next(item for item in scene.objects if item.main)
    info = {
        "scene_seed": seed,
        "complexity": round(scene.complexity, 6),
        "setting": scene.setting,
        "light": scene.light,
        "main_category": main.category,
        "n_objects": len(scene.objects),
        "categories": ";".join(sorted({item.category for item in scene.objects})),
    }
    return DrawnScene(pixels, scene.captions, attributes(scene), info)


def write_stimuli(design: Experiment, size: int, root: Path, workers: int) -> None:
    """Draw every scene and write pictures, captions, attributes and scene descriptions.

    Files, under `root`: ``nsd_stimuli.hdf5`` with ``imgBrick`` (n, size, size, 3) uint8, one chunk
    per picture; COCO caption files for both splits; ``scene_info.csv`` (ours); the attributes as
    float32 (n, n_attributes). The scene descriptions are written last: they mark the rest done.
    """
    captions, values, infos = [], [], []
    shape = (len(design.scene_seeds), size, size, 3)
    with (
        atomic_write(root / STIMULI) as temporary,
        h5py.File(temporary, "w", locking=False) as file,
    ):
        brick = file.create_dataset(
            "imgBrick",
            shape,
            "u1",
            chunks=(1, *shape[1:]),
            compression="gzip",
            compression_opts=COMPRESSION,
            track_times=False,
        )
        for k, drawn in enumerate(_draw_all(design.scene_seeds.tolist(), size, workers)):
            brick.id.write_direct_chunk((k, 0, 0, 0), drawn.pixels)
            captions.append(drawn.captions)
            values.append(drawn.attributes)
            infos.append(drawn.info)
    with atomic_write(root / ATTRIBUTE_FILE) as temporary:
        np.save(temporary, np.stack(values))
    _write_captions(design, captions, size, root)
    table = pd.DataFrame(infos)
    table.insert(0, "nsdId", np.arange(len(table)))
    with atomic_write(root / SCENES) as temporary:
        table.to_csv(temporary, index=False)


def _draw_all(seeds: list[int], size: int, workers: int) -> Iterator[DrawnScene]:
    batches = [seeds[start : start + BATCH] for start in range(0, len(seeds), BATCH)]
    with tqdm(total=len(seeds), desc="drawing scenes", unit="image") as bar:
        for batch in _map_batches(batches, size, workers):
            yield from batch
            bar.update(len(batch))


def _map_batches(batches: list, size: int, workers: int) -> Iterator[list[DrawnScene]]:
    few = len(batches) <= 4  # starting processes takes longer than drawing so few
    yield from in_processes(
        draw_scenes, [(batch, size) for batch in batches], 1 if few else workers
    )


def _write_captions(design: Experiment, captions: list, size: int, root: Path) -> None:
    table = stimulus_table(design)
    for split, rows in table.groupby("cocoSplit"):
        images, notes = [], []
        for coco, nsd in zip(rows["cocoId"].tolist(), rows["nsdId"].tolist(), strict=True):
            name = f"{coco:012d}.jpg"
            images.append({"id": coco, "file_name": name, "height": size, "width": size})
            for k, caption in enumerate(captions[nsd]):
                notes.append({"image_id": coco, "id": 10 * nsd + k, "caption": caption})
        info = {"description": "SIMULATED scenes and captions, not COCO", "year": 2026}
        content = {"info": info, "licenses": [], "images": images, "annotations": notes}
        write_text(root / CAPTIONS.format(split=split), _compact_json(content))


def _compact_json(content: dict) -> str:
    return json.dumps(content, ensure_ascii=False) + "\n"


def read_images(root: Path, ids: np.ndarray) -> np.ndarray:
    """Pictures of the 0-based nsdIds `ids`, uint8 (n, size, size, 3), in the order asked for."""
    with h5py.File(root / STIMULI, "r", locking=False) as file:
        brick = file["imgBrick"]
        return np.stack([brick[int(k)] for k in ids])
