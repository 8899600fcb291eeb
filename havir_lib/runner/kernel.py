"""Jupyter's kernel, importing this copy of the library wherever it lies; started by its path."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])  # in place of this file's own folder
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()
