"""Which notebook runs when, and what it must leave behind; the Snakefile is made from this."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from havir_lib.config import Config, load_config
from havir_lib.paths import PROJECT_ROOT, Workspace, workspace_of
from havir_lib.provenance import source_digest

PER_SUBJECT = ("04_structural_generator", "05_semantic_extractor")
FIGURES = {
    "00_start_here": ["fig1_framework"],
    "01_roi_definition": ["roi_maps"],
    "02_voxel_counts": ["noise_ceiling"],
    "03_targets": ["recovery_check"],
    "06_reconstruction": ["fig2_reconstructions"],
    "07_sota_comparison": ["fig3_comparison"],
    "08_ablations": ["fig4_ablations"],
    "09_interpretability": ["fig5_interpretability_base", "fig6_interpretability_others"],
}
TABLES = {
    "01_roi_definition": ["table1_rois"],
    "02_voxel_counts": ["table2_voxel_counts"],
    "07_sota_comparison": ["table3_comparison"],
    "08_ablations": ["table4_ablations"],
}
AFTER = {
    "00_start_here": [],
    "01_roi_definition": ["00_start_here"],
    "02_voxel_counts": ["00_start_here"],
    "03_targets": ["00_start_here"],
    "04_structural_generator": ["00_start_here"],
    "05_semantic_extractor": ["00_start_here"],
    "06_reconstruction": ["04_structural_generator", "05_semantic_extractor"],
    "07_sota_comparison": ["06_reconstruction"],
    "08_ablations": ["04_structural_generator", "05_semantic_extractor"],
    "09_interpretability": ["04_structural_generator", "05_semantic_extractor"],
    "10_controls": ["07_sota_comparison", "08_ablations"],
}
FULL_ONLY = ("10_controls",)
"""Notebooks that run only with ``comparison.full``."""
THREADS = {"00_start_here": 2, "10_controls": 2}
"""Notebooks that nothing can run beside use more cores than one.

The same in every run: sums over another number of threads differ in the last bits.
"""


@dataclass(frozen=True)
class Step:
    """One papermill call.

    Attributes
    ----------
    name : str
        Rule name, e.g. ``"04_structural_generator_subj02"`` with a leading ``nb``.
    notebook, executed, log : str
        Source notebook, its executed copy, and the copy that is written while it runs.
    after : list of str
        Executed notebooks that must exist first.
    outputs : list of str
        Figures and tables it makes.
    parameters : str
        YAML for papermill.
    priority : int
        The higher, the more notebooks wait for it; of those that can run, the highest goes first.
    threads : int
        Cores it uses.
    """

    name: str
    notebook: str
    executed: str
    log: str
    after: list[str]
    outputs: list[str]
    parameters: str
    priority: int
    threads: int = 1

    @property
    def errors(self) -> str:
        """What the notebook's process said, shown if it fails."""
        return self.log.removesuffix(".ipynb") + ".txt"

    @property
    def command(self) -> list[str]:
        """Papermill and its arguments; it writes the log as it goes, which survives a failure."""
        quietly = ["--log-level", "WARNING", "--no-progress-bar"]
        where = ["--kernel", "python3", "--cwd", "notebooks"]
        return ["papermill", self.notebook, self.log, *quietly, *where, "-y", self.parameters]


@dataclass(frozen=True)
class Plan:
    """All steps of one profile."""

    config: Config
    workspace: Workspace
    profile: str
    overrides: dict[str, Any]

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> Plan:
        """Read Snakemake's ``--config profile=… data=… overrides='{…}'``."""
        profile = str(arguments.get("profile", "demo"))
        overrides = arguments.get("overrides") or {}
        overrides = dict(json.loads(overrides) if isinstance(overrides, str) else overrides)
        if arguments.get("data"):
            overrides["data.root"] = str(arguments["data"])
        config = load_config(profile, overrides)
        return cls(config, workspace_of(config.profile, config.workspace), profile, overrides)

    @property
    def arguments(self) -> str:
        """The same choice as arguments of the command line."""
        quoted = json.dumps(self.overrides).replace("'", "'\\''")
        return f"--profile {self.profile} --overrides '{quoted}'"

    @property
    def source(self) -> str:
        """Hash of the library: when it changes, notebooks run again (from cache where it holds)."""
        return source_digest()

    @property
    def report(self) -> str:
        """The page that shows everything."""
        return str(self.workspace.root / "report.html")

    @property
    def steps(self) -> list[Step]:
        """One step per notebook, or per notebook and subject."""
        full = self.config.comparison.full
        return [
            self._step(notebook, subject)
            for notebook in AFTER
            if full or notebook not in FULL_ONLY
            for subject in self._subjects_of(notebook)
        ]

    def executed_all(self) -> list[str]:
        """Every executed notebook."""
        return [step.executed for step in self.steps]

    def _subjects_of(self, notebook: str) -> list[str | None]:
        return list(self.config.data.subjects) if notebook in PER_SUBJECT else [None]

    def _step(self, notebook: str, subject: str | None) -> Step:
        name = notebook if subject is None else f"{notebook}_{subject}"
        parameters: dict[str, Any] = {"profile": self.profile, "overrides": self.overrides}
        if subject is not None:
            parameters["subject"] = subject
        return Step(
            name=f"nb{name}",
            notebook=str(PROJECT_ROOT / "notebooks" / f"{notebook}.ipynb"),
            executed=self._executed(notebook, subject),
            log=str(self.workspace.notebooks / "logs" / f"{name}.ipynb"),
            after=self._after(notebook, subject),
            outputs=self._outputs(notebook),
            parameters=json.dumps(parameters),
            priority=2 * len(_waiting_for(notebook)) + (subject == self.config.data.base_subject),
            threads=THREADS.get(notebook, 1),
        )

    def _executed(self, notebook: str, subject: str | None) -> str:
        name = notebook if subject is None else f"{notebook}_{subject}"
        return str(self.workspace.notebooks / f"{name}.ipynb")

    def _after(self, notebook: str, subject: str | None) -> list[str]:
        before = [
            self._executed(other, name)
            for other in AFTER[notebook]
            for name in self._subjects_of(other)
        ]
        base = self.config.data.base_subject
        if subject not in (None, base):  # transfer starts from the base subject's model
            before.append(self._executed(notebook, base))
        return before

    def _outputs(self, notebook: str) -> list[str]:
        figures = [self.workspace.figures / f"{name}.png" for name in FIGURES.get(notebook, [])]
        tables = [self.workspace.tables / f"{name}.csv" for name in TABLES.get(notebook, [])]
        return [str(path) for path in figures + tables]


def _waiting_for(notebook: str) -> set[str]:
    """Notebooks that run only after this one, directly or not."""
    direct = {other for other, before in AFTER.items() if notebook in before}
    return direct.union(*map(_waiting_for, direct))
