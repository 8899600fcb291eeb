"""Images and captions by image id.

Images come from NSD's one array ``imgBrick`` (n, H, W, 3), captions from COCO annotation files
through each image's ``cocoId``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from havir_lib.cache.store import identity
from havir_lib.data.hdf5 import open_dataset
from havir_lib.data.layout import GET_DATA, NsdLayout
from havir_lib.data.pictures import Ids, checked_ids, first_captions
from havir_lib.data.trials import load_stim_info
from havir_lib.errors import DataError, require_file

COUNT_FROM_0 = "Ids are 0-based nsdId; NSD's 73KID counts from 1."


class Stimuli:
    """The pictures of a data set and what people wrote about them.

    Parameters
    ----------
    layout : NsdLayout
    caption_files : list of Path, optional
        COCO ``captions_*.json``; by default those in the tree.

    Attributes
    ----------
    table : DataFrame
        One row per image in order of ``nsdId`` (0-based): cocoId, shared1000, ...
    """

    def __init__(self, layout: NsdLayout, caption_files: Sequence[Path] | None = None) -> None:
        self.path = require_file(layout.stimuli, "Stimulus images", GET_DATA)
        self.caption_files = layout.captions() if caption_files is None else list(caption_files)
        self.table = load_stim_info(layout)
        with self._open() as brick:
            self.image_shape: tuple[int, int, int] = brick.shape[1:]
            if self.image_shape[0] != self.image_shape[1]:
                raise DataError(
                    f"{self.path}: expected square pictures, found {self.image_shape[:2]} (H, W). "
                    "They would be squeezed for the latent and cropped for CLIP, so both would "
                    "learn from different pictures. Crop them first."
                )
            if len(brick) < len(self.table):
                raise DataError(
                    f"{self.path}: expected {len(self.table)} images, found {len(brick)}. "
                    f"{GET_DATA}"
                )

    def pictures_stamp(self) -> list:
        """Cheap identity of all pictures."""
        return identity(self.path)

    @property
    def files(self) -> list[Path]:
        """What images and captions depend on."""
        return [self.path, *self.caption_files]

    def images(self, ids: Ids) -> np.ndarray:
        """Images as uint8 (n, H, W, 3), in the order of `ids`, which may repeat.

        Raises
        ------
        DataError
            If an id is not in the table, or the file is damaged.
        """
        ids = self._check(ids)
        unique, position = np.unique(ids, return_inverse=True)  # HDF5 reads in rising order only
        with self._open() as brick:
            values = np.stack([brick[i] for i in unique]) if len(unique) else brick[:0]
        return values[position]

    def captions(self, ids: Ids, n: int = 5) -> list[list[str]]:
        """The first `n` captions of each image, in order of annotation id (COCO has 5 to 7).

        Raises
        ------
        DataError
            If an id is not in the table, or an image has fewer than `n` captions.
        """
        coco_ids = self.table["cocoId"].to_numpy()[self._check(ids)]
        found = [self._by_coco_id.get(int(coco_id), []) for coco_id in coco_ids]
        return first_captions(
            found,
            n,
            lambda position, number: (
                f"Image {ids[position]} (cocoId {coco_ids[position]}): expected {n} captions, "
                f"found {number} in {[str(file) for file in self.caption_files]}. NSD's images are "
                "in COCO's train2017 and val2017; list both under data.captions."
            ),
        )

    @cached_property
    def _by_coco_id(self) -> dict[int, list[str]]:
        if not self.caption_files:
            raise DataError(
                f"No caption files: data.captions is empty and the tree of {self.path} has none."
            )
        captions = defaultdict(list)
        for _, (image, text) in sorted(self._annotations().items()):
            captions[image].append(text)
        return dict(captions)

    def _annotations(self) -> dict[int, tuple[int, str]]:
        """Annotation id → image and caption; one that occurs in two files counts once."""
        found: dict[int, tuple[int, str]] = {}
        for file in self.caption_files:
            for annotation in _read_annotations(file):
                said = (int(annotation["image_id"]), annotation["caption"].strip())
                if found.setdefault(int(annotation["id"]), said) != said:
                    raise DataError(
                        f"{file}: annotation {annotation['id']} was another in a file before it: "
                        f"expected {found[annotation['id']]}, found {said}. List each file once "
                        "under data.captions."
                    )
        return found

    def _check(self, ids: Ids) -> np.ndarray:
        return checked_ids(ids, len(self.table), COUNT_FROM_0)

    @contextmanager
    def _open(self) -> Iterator[h5py.Dataset]:
        with open_dataset(self.path, "imgBrick") as brick:
            if brick.dtype != np.uint8 or brick.ndim != 4 or brick.shape[-1] != 3:
                raise DataError(
                    f"{self.path}: expected uint8 (n, H, W, 3), "
                    f"found {brick.dtype} {brick.shape} in 'imgBrick'."
                )
            yield brick


def _read_annotations(path: Path) -> list[dict]:
    require_file(path, "COCO captions", GET_DATA)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["annotations"]
        return [{key: entry[key] for key in ("id", "image_id", "caption")} for entry in found]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a COCO annotation file ({error!r}).") from None
