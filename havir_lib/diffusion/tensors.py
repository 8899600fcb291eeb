"""Tensors of one component of a hub folder, read lazily and checked by name.

A component (``image_unet/``, ``vae/``, ...) holds ``config.json`` and its tensors in one of four
forms: one safetensors file, several with an index, or the same two as PyTorch's ``.bin``.
Safetensors files are read tensor by tensor, so a part of a file costs only that part. ``.bin``
files are mapped into memory and read with ``weights_only=True``: nothing in them is executed.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from havir_lib.errors import WeightsError

STEM = "diffusion_pytorch_model"
REMEDY = (
    "Download the folder again, or pass the folder that holds vae/, image_unet/ and text_unet/."
)


def read_config(folder: Path, name: str = "config.json") -> dict:
    """Read a component's configuration.

    Raises
    ------
    WeightsError
        If the file is missing or is not JSON.
    """
    path = Path(folder) / name
    if not path.is_file():
        raise WeightsError(f"Expected the file {path}, but it does not exist. {REMEDY}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{path} is not valid JSON ({error}). {REMEDY}") from None


def read_tensors(
    folder: Path,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
    keep: Callable[[str], bool] = lambda name: True,
) -> dict[str, Tensor]:
    """Read the tensors of a component whose names `keep` accepts, as `dtype` on `device`.

    Raises
    ------
    WeightsError
        If no weights file is found, or one is corrupt or incomplete.
    """
    tensors: dict[str, Tensor] = {}
    for path in weight_files(Path(folder)):
        tensors |= _read_file(path, dtype, device, keep)
    return tensors


def weight_files(folder: Path) -> list[Path]:
    """The files that together hold a component's tensors."""
    for suffix in (".safetensors", ".bin"):
        single = folder / f"{STEM}{suffix}"
        index = folder / f"{STEM}{suffix}.index.json"
        if single.is_file():
            return [single]
        if index.is_file():
            return _shards(index, read_config(folder, index.name))
    raise WeightsError(
        f"Expected {STEM}.safetensors or {STEM}.bin (or an index of several) in {folder}, "
        f"found neither. {REMEDY}"
    )


def _shards(index: Path, content: object) -> list[Path]:
    """Files that an index names; each lies beside it."""
    named = content.get("weight_map") if isinstance(content, dict) else None
    names = set(named.values()) if isinstance(named, dict) else {None}
    wrong = [x for x in names if not isinstance(x, str) or x in ("", "..") or Path(x).name != x]
    if wrong or not names:
        raise WeightsError(
            f"{index}: expected weight_map with names of files beside it, found "
            f"{wrong[:1] or 'none'}. {REMEDY}"
        )
    return [index.parent / name for name in sorted(names)]


def _read_file(
    path: Path, dtype: torch.dtype, device: torch.device | str, keep: Callable[[str], bool]
) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(f"Expected the file {path}, but it does not exist. {REMEDY}")
    read = _read_safetensors if path.suffix == ".safetensors" else _read_bin
    try:
        return {name: x.to(device, dtype) for name, x in read(path, keep)}
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise WeightsError(f"{path} cannot be read ({error}). {REMEDY}") from error


def _read_safetensors(path: Path, keep: Callable[[str], bool]):
    with safe_open(path, framework="pt") as file:
        for name in filter(keep, file.keys()):
            yield name, file.get_tensor(name)


def _read_bin(path: Path, keep: Callable[[str], bool]):
    tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    yield from ((name, x) for name, x in tensors.items() if keep(name))


def fill_network(module: nn.Module, tensors: dict[str, Tensor], source: Path) -> None:
    """Give `module` exactly these tensors.

    `module` may live on the meta device: the tensors are assigned, not copied.

    Raises
    ------
    WeightsError
        If a tensor is missing, left over, or of another shape.
    """
    expected = {name: tuple(x.shape) for name, x in module.state_dict().items()}
    found = {name: tuple(x.shape) for name, x in tensors.items()}
    problems = [
        *(f"{name} is missing" for name in sorted(expected.keys() - found.keys())),
        *(f"{name} is unexpected" for name in sorted(found.keys() - expected.keys())),
        *(
            f"{name} has shape {found[name]}, expected {shape}"
            for name, shape in expected.items()
            if found.get(name, shape) != shape
        ),
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise WeightsError(
            f"The tensors in {source} do not fit its configuration: "
            f"{'; '.join(problems[:3])}{more}. "
            "The two belong to different models, or the download is incomplete."
        )
    module.load_state_dict(tensors, assign=True)
