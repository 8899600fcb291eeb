"""What every notebook imports stays quick: large libraries wait until they are used."""

import subprocess
import sys

from havir_lib.paths import PROJECT_ROOT

IMPORTS = """
import sys
from havir_lib import open_run
from havir_lib.pages import (
    ablations, branches, captions, ceilings, claims, comparison, complexity, crosstalk, framework,
    importance, labels, normalisation, overlap, reconstructions, recovery, regions, standard_space,
    sweeps, transfer, voxels
)
heavy = ("diffusers", "transformers", "open_clip", "torchvision", "nilearn", "sklearn", "himalaya")
print(*(name for name in (*heavy, "scipy.stats") if name in sys.modules))
"""

PLAN_AND_REPORT = """
import sys
import havir_lib.reports.site, havir_lib.workflow
print(*(name for name in ("torch", "matplotlib") if name in sys.modules))
"""


LOADS = """
from havir_lib.config import load_config
from havir_lib.targets import clip, vae
weights = load_config("smoke").weights
vae.load_vae(vae.diffusion_folder(weights))
print(type(clip.load_clip(weights).model).__name__)
"""


def test_notebooks_start_without_large_libraries():
    assert _printed(IMPORTS).split() == []


def test_planning_and_report_start_without_torch():
    assert _printed(PLAN_AND_REPORT).split() == []


def test_networks_load_first_in_a_fresh_process():
    assert _printed(LOADS).split()[-1] == "CLIP"


def _printed(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    return result.stdout
