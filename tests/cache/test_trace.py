"""Every function of ours that a cached result really runs is part of its key, and every file of
every kind of result is watched.
"""

import importlib
import sys
import threading

import pytest

from havir_lib.cache import content, remember
from havir_lib.cache.store import RECIPE, damage
from havir_lib.pages import captions, ceilings, complexity, importance, labels, overlap
from havir_lib.provenance import PACKAGE_ROOT
from havir_lib.run import open_run, templates

SMALL = {"shape": [20, 14, 12], "voxel_mm": 7.5}
TINY = {
    "simulation.trials_per_session": 36,
    "simulation.n_shared": 5,
    "simulation.image_size": 64,
    "simulation.subjects": {"subj01": {**SMALL, "seed": 1}, "subj02": {**SMALL, "seed": 2}},
    "evaluation.metrics": ["PixCorr", "SSIM", "MiniCLIP"],
    "evaluation.n_bootstrap": 100,
    "ridge.alphas": [0, 6, 3],
    "ridge.folds": 2,
    "diffusion.steps": 2,
    "comparison.template_folder": "nobody_drew_any",
    "data.bad_voxels": "drop",
}
NO_PART = ("havir_lib.cache", "havir_lib.io", "havir_lib.errors", "havir_lib.provenance",
           "havir_lib.run.run", "havir_lib.run.once", "havir_lib.paths")  # fmt: skip
"""Modules that keep and carry results and make none."""


class Trace:
    """Notes which of our functions run while something is built."""

    def __init__(self):
        self.cache = None
        self.ran: dict[str, set[tuple[str, str]]] = {}
        self.used: dict[str, content.Used] = {}
        self._open: list[set[tuple[str, str]]] = []
        self._ours: dict[object, tuple[str, str] | None] = {}

    def build(self, kind, used, build):
        def traced(folder):
            self._open.append(self.ran.setdefault(kind, set()))
            self.used[kind] = self.used.get(kind, content.Used()) | used
            threading.setprofile(self._event)
            sys.setprofile(self._event)
            try:
                build(folder)
            finally:
                self._open.pop()
                if not self._open:
                    sys.setprofile(None)
                    threading.setprofile(None)

        return traced

    def _event(self, frame, event, _):
        if event != "call" or not self._open:
            return
        code = frame.f_code
        if code not in self._ours:
            ours = str(PACKAGE_ROOT) in code.co_filename
            name = (frame.f_globals.get("__name__", ""), code.co_qualname)
            kept = ours and not name[0].startswith(NO_PART) and "<module>" not in name[1]
            self._ours[code] = name if kept else None
        if self._ours[code]:
            self._open[-1].add(self._ours[code])


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    """A tiny run in which one result of every kind is made under a trace."""
    trace, described = Trace(), []
    patch = pytest.MonkeyPatch()
    cached, recipe_of_call = remember.cached, content.recipe_of_call

    class Noted(content.Description):
        def __init__(self):
            super().__init__()
            described.append(self)

    def noted(function, arguments, also=()):
        recipe = recipe_of_call(function, arguments, also)
        described[:] = described[-1:]
        return recipe

    def traced(root, kind, recipe, build):
        return cached(root, kind, recipe, trace.build(kind, described[-1].used, build))

    patch.setattr(content, "Description", Noted)
    patch.setattr(remember, "recipe_of_call", noted)
    patch.setattr(remember, "cached", traced)
    run = open_run("smoke", {**TINY, "workspace": str(tmp_path_factory.mktemp("traced"))})
    everything(run)
    patch.undo()
    trace.cache = run.workspace.cache
    return trace


def everything(run):
    """One result of every kind."""
    run.scores("subj02")
    run.images("subj02", configuration="only z'")
    run.predictions("subj01", "ridge")
    run.images("subj01", "nearest training image")
    templates.template_subject(run, "subj01")
    importance.importance(run, "subj01", "semantic")
    labels.permuted_labels(run, "subj01", "structural")
    captions.predicted_captions(run, "subj01")
    ceilings.region_ceilings(run)
    complexity.scene_complexity(run)
    overlap.tokens_without(run, run.subject("subj01").train_images[:2], "ridge")


def test_all_kinds_of_results_were_made(trace):
    source = "\n".join(file.read_text() for file in PACKAGE_ROOT.rglob("*.py"))
    assert len(trace.ran) >= 18
    assert source.count("remember(\n") + source.count("remember_folder(\n") >= len(trace.ran) - 3


def test_what_runs_is_in_the_key(trace):
    missing = {
        f"{kind}: {module}.{name}"
        for kind, ran in trace.ran.items()
        for module, name in ran
        if not trace.used[kind].covers(module, name) and not is_of_settings(module, name)
    }
    assert not missing, "\n".join(sorted(missing))


def is_of_settings(module, name):
    """Whether it is a method of settings that validates, which their values show."""
    return module == "havir_lib.config"


def test_the_trace_sees_methods_and_inner_functions(trace):
    names = {f"{module}.{name}" for module, name in trace.ran["trained_structural"]}
    assert "havir_lib.models.structural_generator.StructuralGenerator.forward" in names
    assert importlib.import_module("havir_lib.models.structural_generator")


HARMS = {
    "gone": None,
    "emptied": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "first bit flipped": lambda content: bytes([content[0] ^ 1]) + content[1:],
    "last bit flipped": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
}


def one_of_each_kind(cache):
    """Kind and name of a file → its path, for every kind of result and every file it has."""
    kinds = [kind for kind in sorted(cache.iterdir()) if kind.is_dir()]
    results = [sorted(path for path in kind.iterdir() if path.is_dir())[0] for kind in kinds]
    return {
        f"{result.parent.name}/{file.relative_to(result).as_posix()}": (result, file)
        for result in results
        for file in sorted(result.rglob("*"))
        if file.is_file()
    }


def test_any_damage_to_any_file_of_any_kind_is_seen(trace):
    files = one_of_each_kind(trace.cache)
    assert {path.parent.name for path, _ in files.values()} >= trace.ran.keys()
    silent = []
    for name, (result, file) in files.items():
        content = file.read_bytes()
        for harm, change in HARMS.items():
            if file.name == RECIPE and "flipped" in harm:
                continue  # it watches the others, and is read as JSON
            file.unlink() if change is None else file.write_bytes(change(content))
            if not damage(result):
                silent.append(f"{name}: {harm}")
            file.write_bytes(content)
        assert damage(result) == ""
    assert silent == []
    assert len(files) * len(HARMS) > 200
