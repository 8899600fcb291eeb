# One rule per step of run/plan.json, which `havir run` writes into the workspace: only what changed
# runs again, subjects run in parallel, and a killed run continues where it was. What a step makes
# may lie in folders of any name, so rules know it by a mark in run/done, which havir_lib.runner.marks
# takes away from a step that is to run again.

import sys
from pathlib import Path

sys.path.insert(0, str(workflow.basedir))

from havir_lib.io import read_json
from havir_lib.runner.supervisor import begin

FOLDER = Path.cwd() / "run"
STEPS = read_json(FOLDER / "plan.json")
held = begin(FOLDER)


rule all:
    input:
        [f"run/done/{name}" for name in STEPS],


for name, step in STEPS.items():
    rule:
        name:
            name
        input:
            [f"run/done/{other}" for other in step["after"]],
        output:
            f"run/done/{name}",
        priority: step["priority"]
        threads: step["threads"]
        resources:
            **step["resources"],
        params:
            project=lambda wildcards: str(workflow.basedir),  # functions, since strings in which
            python=lambda wildcards: sys.executable,  # braces stand would be filled in
            step=name,
        shell:
            'plan="$PWD/run/plan.json" && cd {params.project:q} && '
            'exec {params.python:q} -m havir_lib.runner.step "$plan" {params.step:q}'
