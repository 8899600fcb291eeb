"""All targets of a set of images, computed when first asked for and kept on disk.

Latents and tokens are computed apart, each by one model: whoever trains one branch does not wait
for the targets of the other.

Shape words: n images, C latent channels, h w latent grid, Ti image tokens, Tt text tokens, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from havir_lib.cache import cached
from havir_lib.config import Config
from havir_lib.data.stimuli import Stimuli
from havir_lib.errors import DataError, WeightsError
from havir_lib.io import read_json, write_json
from havir_lib.provenance import digest, source_digest, stamp
from havir_lib.targets import clip, vae

Batches = Iterator[tuple[np.ndarray, ...]]


@dataclass(frozen=True, eq=False)
class Targets:
    """Training targets of some images; arrays are made or read when first used.

    Attributes
    ----------
    image_ids : ndarray of int, (n,)
    read : callable
        ``read(name)`` gives the array of that name.
    key : str
        Identifies the content, for results that depend on it.
    """

    image_ids: np.ndarray
    read: Callable[[str], np.ndarray]
    key: str = ""

    @cached_property
    def latents(self) -> np.ndarray:
        """VAE latents, (n, C, h, w) float16, scaled as the diffusion model expects."""
        return self.read("latents")

    @cached_property
    def image_tokens(self) -> np.ndarray:
        """CLIP image tokens, (n, Ti, D) float16, class token first and of length 1."""
        return self.read("image_tokens")

    @cached_property
    def text_tokens(self) -> np.ndarray:
        """CLIP text tokens, (n, n_captions, Tt, D) float16, end-of-text token of length 1."""
        return self.read("text_tokens")

    def rows(self, ids: np.ndarray) -> np.ndarray:
        """Rows of these images in the arrays, to read no more than is needed.

        Raises
        ------
        DataError
            If one is not among them.
        """
        rows = pd.Index(self.image_ids).get_indexer(np.asarray(ids))
        if (rows < 0).any():
            missing = np.asarray(ids)[rows < 0]
            raise DataError(
                f"{len(missing)} of {len(ids)} images have no targets, e.g. image {missing[0]}. "
                "Compute the targets with these images included."
            )
        return rows

    def select(self, ids: np.ndarray) -> Targets:
        """The targets of these images, in this order; errors as of :meth:`rows`."""
        rows = self.rows(ids)
        return Targets(self.image_ids[rows], lambda name: getattr(self, name)[rows], self.key)


def compute_targets(
    config: Config,
    stimuli: Stimuli,
    image_ids: np.ndarray,
    cache: Path | None = None,
    device: torch.device | str = "cpu",
) -> Targets:
    """Targets that are encoded, or read from `cache`, when first used.

    Parameters
    ----------
    config : Config
        Sections ``weights`` and ``targets``.
    stimuli : Stimuli
    image_ids : ndarray of int, (n,)
        Ids without duplicates.
    cache : Path, optional
        Cache folder. The arrays are then memory-mapped, and an interrupted computation continues
        where it was. None: compute in memory.

    Raises
    ------
    WeightsError, DataError
        If weights are missing, or ids occur twice; when an array is first used, if weights,
        images or captions are damaged.
    """
    ids = np.asarray(image_ids)
    if n_again := len(ids) - len(np.unique(ids)):
        raise DataError(f"Expected each image id once, but {n_again} of {len(ids)} occur again.")
    common = {"images": ids, "stimuli": stamp(stimuli.path), "source": source_digest("targets")}
    recipes = {kind: {**common, **kind.inputs(config, stimuli)} for kind in KINDS}

    @lru_cache(maxsize=len(KINDS))
    def arrays(kind: Kind) -> dict[str, np.ndarray]:
        encode = partial(kind.encode, config, stimuli, device=device)
        if cache is None:
            parts = zip(*encode(ids), strict=True)
            return dict(zip(kind.arrays, map(np.concatenate, parts), strict=True))
        write = partial(_write, names=kind.arrays, ids=ids, encode=encode)
        done = cached(cache, kind.name, recipes[kind], write)
        return {name: np.load(done / f"{name}.npy", mmap_mode="r") for name in kind.arrays}

    def read(name: str) -> np.ndarray:
        return arrays(next(kind for kind in KINDS if name in kind.arrays))[name]

    return Targets(ids, read, digest(list(recipes.values())))


@dataclass(frozen=True)
class Kind:
    """Arrays that one model makes.

    Attributes
    ----------
    name : str
        Names its folder in the cache.
    arrays : tuple of str
    inputs : callable
        ``inputs(config, stimuli)``: what the arrays depend on besides the images.
    encode : callable
        ``encode(config, stimuli, ids, device)``: the arrays of one batch after the other, float16.
    """

    name: str
    arrays: tuple[str, ...]
    inputs: Callable[[Config, Stimuli], dict[str, Any]]
    encode: Callable[..., Batches]


def _latents_inputs(config: Config, stimuli: Stimuli) -> dict[str, Any]:
    return {"vae": vae.identity(vae.diffusion_folder(config.weights))}


def _tokens_inputs(config: Config, stimuli: Stimuli) -> dict[str, Any]:
    return {
        "clip": clip.identity(config.weights),
        "captions": [stamp(file) for file in stimuli.caption_files],
        "captions_per_image": config.targets.captions_per_image,
    }


@torch.inference_mode()
def _latents(config: Config, stimuli: Stimuli, ids: np.ndarray, device: torch.device) -> Batches:
    folder = vae.diffusion_folder(config.weights)
    autoencoder = vae.load_vae(folder, device)
    size = vae.image_size(folder, autoencoder)
    for part in _parts(ids, config.targets.batch_size, "latents"):
        yield (_half(vae.latents(autoencoder, stimuli.images(part), size), part),)


@torch.inference_mode()
def _tokens(config: Config, stimuli: Stimuli, ids: np.ndarray, device: torch.device) -> Batches:
    encoder = clip.load_clip(config.weights, device)
    n_captions = config.targets.captions_per_image
    for part in _parts(ids, config.targets.batch_size, "tokens"):
        captions = stimuli.captions(part, n_captions)
        text = encoder.text_tokens([caption for five in captions for caption in five])
        text = text.unflatten(0, (len(part), n_captions))
        yield _half(encoder.image_tokens(stimuli.images(part)), part), _half(text, part)


KINDS = (
    Kind("latents", ("latents",), _latents_inputs, _latents),
    Kind("tokens", ("image_tokens", "text_tokens"), _tokens_inputs, _tokens),
)


def _parts(ids: np.ndarray, size: int, what: str) -> Iterator[np.ndarray]:
    with tqdm(total=len(ids), desc=what, unit="image") as bar:
        for start in range(0, len(ids), size):
            yield ids[start : start + size]
            bar.update(len(ids[start : start + size]))


def _write(
    folder: Path, names: tuple[str, ...], ids: np.ndarray, encode: Callable[[np.ndarray], Batches]
) -> None:
    """Encode into ``.npy`` files in `folder`; ``done.json`` says how far an earlier run came."""
    progress = folder / "done.json"
    done = read_json(progress) if progress.is_file() else 0
    for batch in encode(ids[done:]):
        end = done + len(batch[0])
        for name, values in zip(names, batch, strict=True):
            array = _open(folder / f"{name}.npy", (len(ids), *values.shape[1:]), new=done == 0)
            array[done:end] = values
            array.flush()
        write_json(progress, done := end)


def _open(path: Path, shape: tuple[int, ...], new: bool) -> np.memmap:
    if new:
        return np.lib.format.open_memmap(path, "w+", np.float16, shape)
    return np.load(path, mmap_mode="r+")


def _half(tensor: torch.Tensor, ids: np.ndarray) -> np.ndarray:
    array = tensor.cpu().numpy().astype(np.float16)
    if not np.isfinite(array).all():
        raise WeightsError(
            f"The targets of images {ids[0]} to {ids[-1]} are not finite in float16. "
            "The weights of the VAE or of CLIP are damaged, or are not those of such a model."
        )
    return array
