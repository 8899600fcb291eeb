"""Execute one notebook: ``python -m havir_lib.runner.notebook REQUEST``, a JSON object.

The kernel is this very interpreter with this very copy of the library. A kernel that is only looked
up by the name ``python3`` may be any Python of the machine.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from papermill.exceptions import PapermillExecutionError

from havir_lib.io import atomic_write
from havir_lib.runner.explain import explain
from havir_lib.runner.places import without_places

KERNEL = Path(__file__).with_name("kernel.py")
TRIES = 3


class OwnKernelManager(AsyncKernelManager):
    """Starts kernels in this interpreter."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """The command of this interpreter's kernel."""
        command = [sys.executable, str(KERNEL), "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="HAVIR", language="python")


def execute(
    notebook: str, log: str, executed: str, parameters: dict, cwd: str, variables: dict[str, str]
) -> None:
    """Run a notebook; its outputs go to `log` as they come, and to `executed` when all is well.

    The executed copy names no place of this machine, see :mod:`havir_lib.runner.places`.

    `variables` are added to the environment of its kernel.

    Two kernels that start at once may choose the same port; one then dies before it has run
    anything, and is started again.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    os.environ.update(variables)
    for attempt in range(1, TRIES + 1):
        try:
            _papermill(notebook, log, parameters, cwd)
            break
        except RuntimeError as error:
            if "Kernel died before replying" not in str(error) or attempt == TRIES:
                raise
    made = without_places(nbformat.read(log, as_version=4), parameters)
    with atomic_write(Path(executed)) as temporary:
        nbformat.write(made, temporary)


def _papermill(notebook: str, log: str, parameters: dict, cwd: str) -> None:
    papermill.execute_notebook(
        _literal(notebook),
        _literal(log),
        parameters,
        kernel_name="python3",
        language="python",
        kernel_manager_class=OwnKernelManager,
        cwd=cwd,
        progress_bar=False,
    )


def _literal(path: str) -> str:
    """Papermill fills in braces of paths; these have none to fill in."""
    return path.replace("{", "{{").replace("}", "}}")


def main(request: str) -> int:
    """Execute what `request` asks for; say in the last line of stderr what went wrong."""
    try:
        execute(**json.loads(request))
    except PapermillExecutionError as error:
        sys.stderr.write(f"{error}\n{explain(error.ename, error.evalue)}\n")
        return 1
    except Exception as error:
        sys.stderr.write(f"{explain(type(error).__name__, str(error))}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
