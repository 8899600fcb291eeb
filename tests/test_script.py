"""A script without a ``__main__`` guard draws its scenes in several processes and ends."""

import subprocess
import sys

from havir_lib.paths import PROJECT_ROOT

SCRIPT = """
from havir_lib.simulation.scenes.render import render_many

print("drawn", len(render_many(range(300), 24, workers=2)))
"""


def test_a_script_needs_no_guard(tmp_path):
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(file)],
        capture_output=True,
        text=True,
        timeout=240,
        env={"PYTHONPATH": str(PROJECT_ROOT), "PATH": ""},
    )
    assert done.stdout.splitlines() == ["drawn 300"], done.stderr[-2000:]
