"""All targets of a set of images, computed once and kept on disk.

Shape words: n images, C latent channels, h w latent grid, Ti image tokens, Tt text tokens, D width.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from havir_lib.cache import cached
from havir_lib.config import Config
from havir_lib.data.stimuli import Stimuli
from havir_lib.errors import DataError, WeightsError
from havir_lib.io import read_json, write_json
from havir_lib.provenance import source_digest, stamp
from havir_lib.targets import clip, vae

ARRAYS = ("latents", "image_tokens", "text_tokens")


@dataclass(frozen=True, eq=False)
class Targets:
    """Training targets of some images.

    Attributes
    ----------
    latents : ndarray, (n, C, h, w) float16
        VAE latents, scaled as the diffusion model expects.
    image_tokens : ndarray, (n, Ti, D) float16
        CLIP image tokens, class token first and of length 1.
    text_tokens : ndarray, (n, n_captions, Tt, D) float16
        CLIP text tokens of each caption, end-of-text token of length 1.
    image_ids : ndarray of int, (n,)
    key : str
        Identifies the content, for results that depend on it.
    """

    latents: np.ndarray
    image_tokens: np.ndarray
    text_tokens: np.ndarray
    image_ids: np.ndarray
    key: str = ""

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
        return Targets(*(getattr(self, name)[rows] for name in (*ARRAYS, "image_ids")), self.key)


def compute_targets(
    config: Config,
    stimuli: Stimuli,
    image_ids: np.ndarray,
    cache: Path | None = None,
    device: torch.device | str = "cpu",
) -> Targets:
    """Encode images and captions, or read them from `cache`.

    Parameters
    ----------
    config : Config
        Sections ``weights`` and ``targets``.
    stimuli : Stimuli
    image_ids : ndarray of int, (n,)
        Ids without duplicates.
    cache : Path, optional
        Cache folder. The arrays returned are then memory-mapped, and an interrupted computation
        continues where it was. None: compute in memory.

    Raises
    ------
    WeightsError, DataError
        If weights, images or captions are missing or damaged.
    """
    ids = np.asarray(image_ids)
    if n_again := len(ids) - len(np.unique(ids)):
        raise DataError(f"Expected each image id once, but {n_again} of {len(ids)} occur again.")
    folder = vae.diffusion_folder(config.weights)
    if cache is None:
        batches = list(_encode(config, stimuli, ids, device))
        return Targets(*(np.concatenate(kind) for kind in zip(*batches, strict=True)), ids)
    recipe = {
        "images": ids,
        "stimuli": [stamp(file) for file in (stimuli.path, *stimuli.caption_files)],
        "vae": vae.identity(folder),
        "clip": clip.identity(config.weights),
        "captions_per_image": config.targets.captions_per_image,
        "source": source_digest("targets"),
    }
    done = cached(cache, "targets", recipe, lambda f: _write(f, config, stimuli, ids, device))
    arrays = (np.load(done / f"{name}.npy", mmap_mode="r") for name in ARRAYS)
    return Targets(*arrays, ids, done.name)


def _write(
    folder: Path, config: Config, stimuli: Stimuli, ids: np.ndarray, device: torch.device | str
) -> None:
    """Encode into ``.npy`` files in `folder`; ``done.json`` says how far an earlier run came."""
    progress = folder / "done.json"
    done = read_json(progress) if progress.is_file() else 0
    for batch in _encode(config, stimuli, ids[done:], device):
        end = done + len(batch[0])
        for name, values in zip(ARRAYS, batch, strict=True):
            array = _open(folder / f"{name}.npy", (len(ids), *values.shape[1:]), new=done == 0)
            array[done:end] = values
            array.flush()
        write_json(progress, done := end)


def _open(path: Path, shape: tuple[int, ...], new: bool) -> np.memmap:
    if new:
        return np.lib.format.open_memmap(path, "w+", np.float16, shape)
    return np.load(path, mmap_mode="r+")


@torch.inference_mode()
def _encode(
    config: Config, stimuli: Stimuli, ids: np.ndarray, device: torch.device | str
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Latents, image tokens and text tokens of one batch of images after the other, in float16."""
    folder = vae.diffusion_folder(config.weights)
    autoencoder, encoder = vae.load_vae(folder, device), clip.load_clip(config.weights, device)
    size = vae.image_size(folder, autoencoder)
    n_captions, step = config.targets.captions_per_image, config.targets.batch_size
    with tqdm(total=len(ids), desc="targets", unit="image") as bar:
        for start in range(0, len(ids), step):
            part = ids[start : start + step]
            images, captions = stimuli.images(part), stimuli.captions(part, n_captions)
            text = encoder.text_tokens([caption for five in captions for caption in five])
            arrays = (
                vae.latents(autoencoder, images, size),
                encoder.image_tokens(images),
                text.unflatten(0, (len(part), n_captions)),
            )
            yield tuple(_half(array, part) for array in arrays)
            bar.update(len(part))


def _half(tensor: torch.Tensor, ids: np.ndarray) -> np.ndarray:
    array = tensor.cpu().numpy().astype(np.float16)
    if not np.isfinite(array).all():
        raise WeightsError(
            f"The targets of images {ids[0]} to {ids[-1]} are not finite in float16. "
            "The weights of the VAE or of CLIP are damaged, or are not those of such a model."
        )
    return array
