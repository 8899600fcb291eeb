"""Which processor to compute on."""

import logging
import os

import torch

from havir_lib.errors import ConfigError

log = logging.getLogger(__name__)

PRECISIONS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def pick_device(name: str = "auto") -> torch.device:
    """The device to compute on; ``"auto"`` takes a GPU if there is one.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "mps"}
        The environment variable ``HAVIR_DEVICE`` replaces ``"auto"``.

    Raises
    ------
    ConfigError
        If the named device is not there.
    """
    if name == "auto":
        name = os.environ.get("HAVIR_DEVICE") or _best_available()
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": _has_mps()}
    if not available.get(name.split(":")[0], False):
        found = ", ".join(kind for kind, there in available.items() if there)
        raise ConfigError(
            f"device is {name!r}, but torch {torch.__version__} finds only: {found}. "
            "Set 'device: auto', or install a torch build for your GPU."
        )
    return torch.device(name)


def _best_available() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if _has_mps() else "cpu"


def _has_mps() -> bool:
    return torch.backends.mps.is_available()


def describe_device(device: torch.device) -> str:
    """One line for logs and notebooks."""
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory / 2**30
        return f"{torch.cuda.get_device_name(device)} ({memory:.0f} GiB)"
    return f"{device.type} ({torch.get_num_threads()} threads)"
