"""``havir`` and ``python havir_lib``: the command line, with this environment's packages only.

Packages on ``PYTHONPATH`` come before the locked ones (a cluster's ``module load`` sets it), so it
is set aside, aloud, before anything else is imported.
"""

import os
import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])


def main() -> None:
    """Start anew without foreign packages if there could be any; then run the command line."""
    from havir_lib.runner.environment import clean

    foreign = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if {str(Path(path).resolve()) for path in foreign} - {ROOT}:
        sys.stderr.write(f"PYTHONPATH is set aside: {os.pathsep.join(foreign)}\n")
        os.execve(sys.executable, [sys.executable, __file__, *sys.argv[1:]], clean())
    from havir_lib.cli import main as command_line

    command_line()


if __name__ == "__main__":
    sys.path[0] = ROOT  # in place of this file's own folder
    main()
