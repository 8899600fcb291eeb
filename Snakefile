# One rule per notebook (and subject). Each is a papermill call with declared inputs and outputs, so
# only what changed runs again, subjects run in parallel, and a killed run continues where it was.
#
#   snakemake --cores 2 --config profile=demo
#   snakemake --profile configs/slurm --config profile=paper data=/path/to/nsd

import shlex

from havir_lib.workflow import Plan

plan = Plan.from_arguments(config)


rule all:
    input:
        plan.report,


rule report:
    """One HTML page with every figure, table and executed notebook."""
    input:
        plan.executed_all(),
    output:
        plan.report,
    params:
        arguments=plan.arguments,
    shell:
        "python -m havir_lib.cli report {params.arguments}"


for step in plan.steps:

    rule:
        name:
            step.name
        input:
            notebook=step.notebook,
            after=step.after,
        output:
            notebook=step.executed,
            files=step.outputs,
        log:
            notebook=step.log,
            errors=step.errors,
        priority: step.priority
        threads: step.threads
        params:
            command=shlex.join(step.command),
            source=plan.source,
        shell:
            # Two kernels that start at once may choose the same port; one then dies before it has
            # run anything, and is started again.
            "tries=1; until OMP_NUM_THREADS={threads} {params.command} 2> {log.errors}; do "
            "grep -q 'Kernel died before replying' {log.errors} && ((tries++ < 3)) || "
            "{{ cat {log.errors} >&2; exit 1; }}; done; cp {log.notebook} {output.notebook}"
