"""Models on disk: one safetensors file each, with its description in the header.

The header entry ``havir`` is JSON: ``architecture`` (see :func:`havir_lib.models.build`) and
whatever the writer adds, and ``content``, by which damage is noticed. One entry only, because
safetensors does not keep the order of several, and equal models shall give equal bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from havir_lib.errors import DamagedError, WeightsError
from havir_lib.io import atomic_write
from havir_lib.models.build import Model, build

ANEW = "Delete it and train again."


def write_tensors(path: Path, tensors: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Write tensors and their description, atomically."""
    on_cpu = {name: x.detach().to("cpu").contiguous() for name, x in tensors.items()}
    whole = {**description, "content": content_of(on_cpu, description)}
    header = {"havir": json.dumps(whole, sort_keys=True)}
    with atomic_write(path) as temporary:
        save_file(on_cpu, temporary, metadata=header)


def content_of(tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> str:
    """Hash of the description, and of names, shapes and sums of bytes: quick, for gigabytes."""
    total = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name in sorted(tensors):
        x = tensors[name].detach().contiguous().flatten().view(torch.uint8)
        whole = len(x) // 8 * 8
        words, rest = x[:whole].view(torch.int64).sum(), x[whole:].long().sum()
        shape = list(tensors[name].shape)
        total.update(f"{name} {shape} {int(words)} {int(rest)}\n".encode())
    return total.hexdigest()[:16]


def read_description(path: Path) -> dict[str, Any]:
    """Description of a file written by :func:`write_tensors`.

    Raises
    ------
    WeightsError
        If the file is missing.
    DamagedError
        If it is corrupt, or from elsewhere.
    """
    return _read(path, lambda file: None)[0]


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Description and tensors; same errors as :func:`read_description`."""
    description, tensors = _read(
        path,
        lambda file: {name: file.get_tensor(name) for name in file.keys()},  # noqa: SIM118
    )
    if description.pop("content", None) != content_of(tensors, description):
        raise DamagedError(f"{path} is damaged: it is not what was written. {ANEW}")
    return description, tensors


def _read(path: Path, get) -> tuple[dict[str, Any], Any]:
    if not Path(path).is_file():
        raise WeightsError(f"Expected trained weights in {path}, but the file does not exist.")
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {})["havir"]), get(file)
    except (SafetensorError, KeyError, ValueError) as error:
        raise DamagedError(
            f"{path} cannot be read as trained weights ({error!r}). {ANEW}"
        ) from None


def save_model(path: Path, model: Model, **more: Any) -> None:
    """Write a model's weights with its architecture and `more` in the header."""
    write_tensors(path, model.state_dict(), {"architecture": model.architecture, **more})


def load_model(path: Path, device: torch.device | str = "cpu") -> Model:
    """Read a model, ready for prediction (dropout off).

    Raises
    ------
    WeightsError
        If the file is missing or corrupt, or its tensors do not fit its architecture.
    """
    description, tensors = read_checkpoint(path)
    with torch.device("meta"):
        model = build(description["architecture"])
    fill_model(model, tensors, path, assign=True)
    return model.to(device).eval()


def fill_model(model: Model, tensors: dict[str, Tensor], path: Path, assign: bool = False) -> None:
    """Give `model` exactly these tensors.

    Raises
    ------
    WeightsError
        Naming `path` and the first tensors that are missing, left over or of another shape.
    """
    expected = {name: tuple(x.shape) for name, x in model.state_dict().items()}
    found = {name: tuple(x.shape) for name, x in tensors.items()}
    if expected != found:
        wrong = sorted(name for name in expected | found if expected.get(name) != found.get(name))
        details = "; ".join(
            f"{name}: expected {expected.get(name, 'none')}, found {found.get(name, 'none')}"
            for name in wrong[:3]
        )
        raise WeightsError(
            f"{path} holds another architecture than expected ({len(wrong)} tensors differ: "
            f"{details}). Train again with these settings, or load it with its own."
        )
    model.load_state_dict(tensors, assign=assign)
