"""The steps that notebooks call: each returns its result from the cache or computes it.

A :class:`Run` is one profile with its workspace. Every function takes it first, and a
subject's name where that matters. The order is the order of the notebooks.
"""

from havir_lib.pipeline.run import Run, open_run

__all__ = ["Run", "open_run"]
