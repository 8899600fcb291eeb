"""One run: a profile, and the arrays and models that follow from it.

A :class:`Run` gives data (``subject``, ``stimuli``), ``targets``, trained ``model`` s,
``predictions``, ``images`` and ``scores``; each is made once, kept in the cache by the content of
what it depends on, and handed out read-only. The maths is elsewhere and takes arrays: read the
files here in the order data, targets, networks, methods, images to see which function makes what.
"""

from havir_lib.run.run import Run, open_run

__all__ = ["Run", "open_run"]
