"""Which processor to compute on."""

import logging
import shutil
import subprocess

import numpy as np
import torch

from havir_lib.config import wanted_device
from havir_lib.errors import ConfigError

log = logging.getLogger(__name__)

PRECISIONS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
DRIVERS = {11: 450, 12: 525, 13: 580}
"""Oldest NVIDIA driver for a major version of CUDA (NVIDIA, CUDA Compatibility, table 1)."""


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
    name = wanted_device(name) or _best_available()
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


def has_bfloat16(device: torch.device | str) -> bool:
    """Whether a processor computes in bfloat16 by itself; others emulate it, much slower.

    GPUs: NVIDIA's from Ampere on. Processors: Intel's from Cooper Lake on, AMD's from Zen 4 on
    (instructions AVX512_BF16).
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def precision_on(device: torch.device | str, wanted: str = "auto") -> str:
    """Name of the precision to sample in: the one wanted, or for ``"auto"`` the fastest that
    keeps the range of float32: bfloat16 where the processor has it, else float32 itself."""
    if wanted != "auto":
        return wanted
    return "bfloat16" if has_bfloat16(device) else "float32"


def mixed_precision(device: torch.device | str) -> torch.autocast:
    """Context for training: products in bfloat16 where the processor has it, else in float32."""
    device = torch.device(device)
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device))


def describe_device(device: torch.device) -> str:
    """One line for logs and notebooks."""
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory / 2**30
        return f"{torch.cuda.get_device_name(device)} ({memory:.0f} GiB)"
    threads = torch.get_num_threads()
    return f"{device.type} ({threads} thread{'s' if threads > 1 else ''})"


def gpu_problem() -> str:
    """Why torch finds no GPU, in its own words; empty if it finds one."""
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:  # no driver, too old a driver, a CPU build
        return str(error).strip()
    return ""


def describe_driver() -> str:
    """One line: the NVIDIA driver that this torch needs, and the one that is here."""
    found = _driver()
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA; driver found: {found}"
    needed = DRIVERS.get(int(torch.version.cuda.split(".")[0]), "the newest")
    return f"torch's CUDA {torch.version.cuda} needs NVIDIA driver >= {needed}; found: {found}"


def _driver() -> str:
    """Version of the driver, or that there is none; asked of NVIDIA's own tool, not of torch."""
    if (tool := shutil.which("nvidia-smi")) is None:
        return "none"
    ask = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    answer = subprocess.run(ask, capture_output=True, text=True, check=False)
    return (answer.stdout or answer.stderr).strip().split("\n")[0] or "none that answers"


def as_tensor(values: np.ndarray | torch.Tensor) -> torch.Tensor:
    """An array as a tensor on the CPU; a read-only one is copied, so that the cache stays as it is.

    Tensors are returned as they are.
    """
    if isinstance(values, np.ndarray) and not values.flags.writeable:
        values = values.copy()
    return torch.as_tensor(values)
