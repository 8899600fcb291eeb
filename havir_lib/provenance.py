"""Where a result came from: hashes of code, configuration and inputs, seeds, versions.

Nothing here depends on the clock or on a commit id, so the same inputs give the same record.
"""

import hashlib
import json
import platform
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from havir_lib import __version__
from havir_lib.errors import HavirError
from havir_lib.io import sha256_of, write_json

PACKAGE_ROOT = Path(__file__).parent
RECORDED_PACKAGES = (
    *("torch", "diffusers", "transformers", "open_clip_torch", "numpy", "scipy", "pandas"),
    *("scikit-image", "scikit-learn", "nibabel", "nilearn", "matplotlib", "seaborn"),
)


def digest(content: Any) -> str:
    """SHA-256 (first 16 hex digits) of JSON-like content; arrays by dtype, shape and bytes."""
    text = json.dumps(content, sort_keys=True, default=_describe)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _describe(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [str(value.dtype), value.shape, sha256_of_array(value)]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"cannot hash a {type(value).__name__}; pass numbers, text, arrays or settings")


def sha256_of_array(array: np.ndarray) -> str:
    """SHA-256 of an array's bytes in C order, 64 hex digits."""
    data = np.ascontiguousarray(array)  # the bytes themselves are hashed, not a copy
    return hashlib.sha256(data.reshape(-1).view(np.uint8)).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 (first 16 hex digits) of a file's bytes."""
    return sha256_of(path)[:16]


def stamp(path: Path) -> list:
    """Cheap identity of a large input file: name, size, modification time in nanoseconds."""
    status = Path(path).stat()
    return [Path(path).name, status.st_size, status.st_mtime_ns]


@cache
def source_digest() -> str:
    """Hash of the library's Python source."""
    total = hashlib.sha256()
    for file in sorted(PACKAGE_ROOT.rglob("*.py")):
        total.update(file.relative_to(PACKAGE_ROOT).as_posix().encode())
        total.update(file.read_bytes())
    return total.hexdigest()[:16]


def record(
    config: Any,
    inputs: dict[str, str],
    simulated: bool,
    results: Iterable[str] = (),
    source: str = "",
) -> dict:
    """Provenance of one figure or table, to be written next to it.

    Parameters
    ----------
    config : pydantic model
        The whole configuration of the run; its settings are written by name and value, without
        those that say where something is or how fast it goes.
    inputs : dict
        Name → hash of each array or table that it was made from.
    simulated : bool
        Whether the numbers come from simulated subjects.
    results : iterable of str
        ``kind/key`` of every cached result that was used; each has a ``recipe.json`` in the cache.
    source : str
        Hash of the code that made it; default: of the whole library.
    """
    return {
        "data": origin(simulated),
        "software": {"havir_lib": __version__, "source": source or source_digest()},
        "profile": getattr(config, "variant", config.profile),
        "settings": public_settings(config.model_dump(mode="json")),
        "inputs": inputs,
        "results": sorted(set(results)),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in RECORDED_PACKAGES},
    }


PRIVATE = frozenset(("workspace", "root", "hub_cache", "endpoint_url", "resources", "download",
                     "device"))  # fmt: skip
"""Settings that say where things are or how they are computed, on one person's machine."""


def public_settings(content: dict[str, Any]) -> dict[str, Any]:
    """Settings by name and value, without places; a path among them as its last part."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        if key in PRIVATE:
            continue
        if isinstance(value, dict):
            value = public_settings(value)
        elif isinstance(value, str) and Path(value).is_absolute():
            value = Path(value).name
        found[key] = value
    return found


def write_sidecar(result: Path, provenance: dict, simulated: bool, **extra: str) -> None:
    """Write ``<result without suffix>.json``: the provenance, `extra`, and the hash of `result`."""
    check_origin(provenance, simulated, result.stem)
    content = {
        **provenance,
        **extra,
        "data": origin(simulated),
        "file": {result.name: file_digest(result)},
    }
    write_json(result.with_suffix(".json"), content)


def origin(simulated: bool) -> str:
    """The word that marks a result: ``"SIMULATED"`` or ``"measured"``."""
    return "SIMULATED" if simulated else "measured"


def check_origin(provenance: dict, simulated: bool, name: str) -> None:
    """Refuse a result that its provenance and its caller describe differently."""
    found = provenance.get("data", origin(simulated))
    if found != origin(simulated):
        raise HavirError(
            f"{name}: the provenance says the data are {found!r}, but simulated={simulated} was "
            "passed. Make the provenance with provenance.record(config, inputs, run.simulated)."
        )
