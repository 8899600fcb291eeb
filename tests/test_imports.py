"""What every notebook imports stays quick: libraries of networks wait until a network is made."""

import subprocess
import sys

from havir_lib.paths import PROJECT_ROOT

CODE = """
import sys
from havir_lib.pipeline import (
    brains, control_figures, control_tables, decoding, figures, interpretability, tables
)
heavy = ("diffusers", "transformers", "torch._dynamo")
print(*(name for name in heavy if name in sys.modules))
"""


def test_notebooks_start_without_libraries_of_networks():
    result = subprocess.run(
        [sys.executable, "-c", CODE], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []
