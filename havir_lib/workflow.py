"""Which notebook runs when, and what it must leave behind: the plan that the runner follows."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from havir_lib.config import (
    PLANNED,
    Config,
    absolute_paths,
    dotted,
    load_config,
    profile_digest,
    wanted_device,
)
from havir_lib.download import manifest
from havir_lib.pages.index import promised
from havir_lib.paths import FIGURE, NOTEBOOKS, PROJECT_ROOT, Workspace, workspace_of
from havir_lib.provenance import digest, source_digest

PER_SUBJECT = ("04_structural_generator", "05_semantic_extractor")
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
    "11_make_it_yours": ["07_sota_comparison", "10_controls"],
    "12_your_own_subject": ["07_sota_comparison", "11_make_it_yours"],
}
FULL_ONLY = ("10_controls", "11_make_it_yours", "12_your_own_subject")
"""Notebooks that run only with ``comparison.full``."""
ALONE = ("00_start_here", "10_controls", "11_make_it_yours", "12_your_own_subject")
"""Notebooks that nothing can run beside; they use ``resources.threads_alone`` cores."""
WITHOUT_GPU = ("00_start_here", "01_roi_definition", "02_voxel_counts")
"""Notebooks that run no network."""
REPORT = "report"


@dataclass(frozen=True)
class Step:
    """One process.

    Attributes
    ----------
    name : str
        E.g. ``"04_structural_generator_subj02"``.
    command : list of str
        Program and arguments, started without a shell in the project's folder.
    outputs : list of str
        Files it makes; of a notebook, first its executed copy.
    log : str
        Text file of what its process said.
    after : list of str
        Steps that come first.
    resources : dict
        ``mem_mb``, and ``gpu`` if it needs a card.
    key : str
        Of the code and the command; when it changes, the step runs again.
    priority : int
        The higher, the more notebooks wait for it; of those that can run, the highest goes first.
    threads : int
        Cores it uses: of the profile, never of the machine, since sums over another number of
        threads differ in the last bits.
    """

    name: str
    command: list[str]
    outputs: list[str]
    log: str
    after: list[str]
    resources: dict[str, int]
    key: str
    priority: int = 0
    threads: int = 1
    cwd: str = str(PROJECT_ROOT)


@dataclass(frozen=True)
class Plan:
    """All steps of one profile."""

    config: Config
    workspace: Workspace
    profile: str
    overrides: dict[str, Any]

    @classmethod
    def of(cls, profile: str | Path = "demo", overrides: Mapping[str, Any] | None = None) -> Plan:
        """The plan of a profile, with dotted keys that replace its settings.

        Whatever is relative in either is meant from where this is called, and made absolute here,
        since steps run elsewhere.
        """
        if Path(profile).suffix in {".yaml", ".yml"}:
            profile = Path(profile).expanduser().resolve()
        overrides = dict(overrides or {})
        given = load_config(profile, overrides)
        overrides |= absolute_paths(dotted(given.model_dump()))
        config = load_config(profile, overrides)
        workspace = workspace_of(config.profile, config.workspace, config.variant)
        return cls(config, workspace, str(profile), overrides)

    @cached_property
    def state(self) -> str:
        """Of what every step depends on: settings, library, data files and weights.

        Files count by size and time, so that a mask, table or caption that was corrected runs
        again; what is computed is then found in the cache, or not, by content.
        """
        root, base = Path(self.config.data.root or "."), self.config.training.base_model
        files = [item.here() for item in manifest(self.config, root)]
        folders = [*self.pictures, *([Path(base)] if base else [])]
        files += [x for folder in folders for x in sorted(folder.glob("*"))]
        stamps = [(str(x), x.stat().st_size, x.stat().st_mtime_ns) for x in files if x]
        own = [file.read_text(encoding="utf-8") for file in self.extensions]
        return digest([source_digest(), self.config.model_dump(mode="json"), stamps, own])

    @property
    def extensions(self) -> list[Path]:
        """Files of the user's own that the profile names."""
        return [PROJECT_ROOT / "notebooks" / name for name in self.config.extensions]

    @property
    def pictures(self) -> list[Path]:
        """Folders of other programs' pictures that the profile names, one per subject."""
        given = self.config.comparison.pictures.values()
        subjects = self.config.data.subjects
        return [Path(x.replace("{subject}", name)).expanduser() for x in given for name in subjects]

    @property
    def folder(self) -> Path:
        """Where the run keeps its plan, locks and last words."""
        return self.workspace.root / "run"

    @property
    def report(self) -> str:
        """The first page of the site that shows everything."""
        return str(self.workspace.root / "site" / "index.html")

    @property
    def jobs(self) -> dict[str, dict]:
        """The steps as the runner reads them (:mod:`havir_lib.runner`)."""
        return {step.name: asdict(step) for step in self.steps}

    @property
    def steps(self) -> list[Step]:
        """One step per notebook, or per notebook and subject, and the report."""
        full = self.config.comparison.full
        notebooks = [
            self._step(notebook, subject)
            for notebook in AFTER
            if full or notebook not in FULL_ONLY
            for subject in self._subjects_of(notebook)
        ]
        return [*notebooks, self._report_step([step.name for step in notebooks])]

    @property
    def shown(self) -> list[tuple[str, list[str | None], list[Path]]]:
        """Name, subjects (None: for all at once) and executed copies of each notebook."""
        return [
            (name, subjects, [Path(self._executed(name, subject)) for subject in subjects])
            for name in AFTER
            if self.config.comparison.full or name not in FULL_ONLY
            for subjects in [self._subjects_of(name)]
        ]

    def _report_step(self, after: list[str]) -> Step:
        overrides = json.dumps(self.overrides)
        what = ["report", "--profile", self.profile, "--overrides", overrides]
        return Step(
            REPORT,
            [sys.executable, "-m", "havir_lib", *what],
            [self.report],
            str(self.workspace.notebooks / "logs" / "report.txt"),
            after,
            {"mem_mb": self.config.resources.mem_mb},
            digest([self.state, what]),
        )

    def _subjects_of(self, notebook: str) -> list[str | None]:
        return list(self.config.data.subjects) if notebook in PER_SUBJECT else [None]

    def _step(self, notebook: str, subject: str | None) -> Step:
        name, source = _named(notebook, subject), NOTEBOOKS / f"{notebook}.ipynb"
        log = self.workspace.notebooks / "logs" / f"{name}.ipynb"
        request = {
            "notebook": str(source),
            "log": str(log),
            "executed": self._executed(notebook, subject),
            "parameters": self._parameters(subject),
            "cwd": str(source.parent),
            "variables": {PLANNED: f"{profile_digest(self.profile)} {self.profile}"},
        }
        return Step(
            name,
            [sys.executable, "-m", "havir_lib.runner.notebook", json.dumps(request)],
            [request["executed"], *self._outputs(notebook, subject)],
            str(log.with_suffix(".txt")),
            self._after(notebook, subject),
            self._resources(notebook),
            digest([self.state, cells_of(source), request["parameters"]]),
            _priority(notebook, subject == self.config.data.base_subject),
            self._threads(notebook),
        )

    def _parameters(self, subject: str | None) -> dict[str, Any]:
        parameters = {"profile": self.profile, "overrides": self.overrides}
        return parameters if subject is None else parameters | {"subject": subject}

    def _resources(self, notebook: str) -> dict[str, int]:
        memory = {"mem_mb": self.config.resources.mem_mb}
        on_cpu = notebook in WITHOUT_GPU or wanted_device(self.config.device) == "cpu"
        return memory if on_cpu else memory | {"gpu": 1}

    def _threads(self, notebook: str) -> int:
        given = self.config.resources
        return given.threads_alone if notebook in ALONE else given.threads

    def _executed(self, notebook: str, subject: str | None) -> str:
        return str(self.workspace.notebooks / f"{_named(notebook, subject)}.ipynb")

    def _after(self, notebook: str, subject: str | None) -> list[str]:
        before = [
            _named(other, name) for other in AFTER[notebook] for name in self._subjects_of(other)
        ]
        base = self.config.data.base_subject
        if subject not in (None, base):  # transfer starts from the base subject's model
            before.append(_named(notebook, base))
        return before

    def _outputs(self, notebook: str, subject: str | None) -> list[str]:
        places = {
            "figure": (self.workspace.figures, FIGURE),
            "table": (self.workspace.tables, ".csv"),
        }
        return [
            str(folder / f"{name}{suffix}")
            for kind, (folder, suffix) in places.items()
            for name in promised(notebook, kind, subject)
        ]


def cells_of(notebook: Path) -> list[str]:
    """What stands in the cells of a notebook, without the outputs that it was committed with."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells]


def _named(notebook: str, subject: str | None) -> str:
    return notebook if subject is None else f"{notebook}_{subject}"


def _priority(notebook: str, of_base: bool) -> int:
    """First what most notebooks wait for, then the base subject, then the earlier notebook.

    So the two branches of one person do not train side by side, where each would wait for the
    other's end to show a reconstruction.
    """
    later = len(AFTER) - 1 - list(AFTER).index(notebook)
    return (2 * len(_waiting_for(notebook)) + of_base) * len(AFTER) + later


def _waiting_for(notebook: str) -> set[str]:
    """Notebooks that run only after this one, directly or not."""
    direct = {other for other, before in AFTER.items() if notebook in before}
    return direct.union(*map(_waiting_for, direct))
