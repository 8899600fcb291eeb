"""How the steps of a plan run: one process each, without a shell between what a user wrote and it.

:mod:`~havir_lib.runner.supervisor` starts Snakemake, which says when a step can start;
:mod:`~havir_lib.runner.step` runs one step with the card, threads and environment that are its own;
:mod:`~havir_lib.runner.notebook` executes a notebook in this interpreter's own kernel.

Everything they need is in one file, ``run/plan.json`` in the workspace: a mapping of step names to

- ``command``: list of arguments; ``cwd``: folder it runs in
- ``after``: steps that come first; ``outputs``: files that it must leave
- ``log``: text file of what it said
- ``threads`` and ``resources`` (``mem_mb``; ``gpu``: 1 if it needs a card): what it uses
- ``priority``: who goes first; ``key``: when it differs from the last run's, the step runs again
"""

import sys

# Of the schema that notebooks are held against, jsonschema then leaves out the form of IRIs, which
# none has; to check it, every process would build grammars for more than a second.
sys.modules.setdefault("rfc3987_syntax", None)
