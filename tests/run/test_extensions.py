"""Methods of one's own: in a notebook, and in a file that the profile names."""

import numpy as np
import pytest

from havir_lib import add_method, of_decoder, open_run
from havir_lib.errors import ConfigError
from havir_lib.pages import comparison
from havir_lib.run.methods import METHODS
from havir_lib.workflow import Plan
from tests.conftest import SMALL

FILE = '''
import numpy as np
from havir_lib import add_method, of_decoder

SHRINK = 0.5


def mean_target(betas, targets, new_betas):
    """The mean training target, shrunk."""
    return SHRINK * np.repeat(targets.mean(axis=0, keepdims=True), len(new_betas), axis=0)


add_method("mean", of_decoder("The mean training target", mean_target))
'''


@pytest.fixture(autouse=True)
def _forget():
    yield
    for name in [name for name, method in METHODS.items() if method.added]:
        del METHODS[name]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my_methods.py"
    path.write_text(FILE)
    return path


def opened(run, **more):
    return open_run("smoke", {**SMALL, "workspace": str(run.workspace.root), **more})


def test_a_file_that_the_profile_names_adds_a_method(run, file):
    own = opened(run, extensions=[str(file)])
    assert own.method_names()[-1] == "mean"
    assert "mean" not in run.method_names()  # opened before, so it stays as it was
    latents = own.predictions("subj01", "mean").latents
    target = own.targets("subj01")
    np.testing.assert_allclose(latents[0], 0.5 * target.latents.astype("f4").mean(0), atol=2e-3)
    table = comparison.table3(own)
    assert "mean" in table.index


def test_an_edit_of_the_file_is_computed_anew(run, file):
    before = opened(run, extensions=[str(file)]).predictions("subj01", "mean").latents
    file.write_text(FILE.replace("SHRINK = 0.5", "SHRINK = 0.25"))
    after = opened(run, extensions=[str(file)]).predictions("subj01", "mean").latents
    np.testing.assert_allclose(after, before / 2, atol=1e-6)


def test_an_edit_of_the_file_triggers_every_step(file, tmp_path):
    def keys():
        overrides = {"extensions": [str(file)], "workspace": str(tmp_path / "w")}
        return {step.key for step in Plan.of("smoke", overrides).steps}

    before = keys()
    assert keys() == before
    file.write_text(FILE + "\n# edited\n")
    assert not keys() & before


def test_a_method_of_a_notebook_gives_the_run_a_workspace_of_its_own():
    add_method("mine", of_decoder("Mine", lambda x, y, z: y[: len(z)]))
    own = open_run("smoke")
    assert own.method_names()[-1] == "mine"
    assert own.config.changes == {"methods": ["mine"]}
    assert own.workspace.tables.name != "smoke"


def test_the_companions_own_methods_cannot_be_replaced():
    with pytest.raises(ConfigError, match="'ridge' is one of the companion's methods"):
        add_method("ridge", of_decoder("Other", lambda x, y, z: y[: len(z)]))


def test_a_file_that_is_lost_or_fails_is_named(run, tmp_path):
    with pytest.raises(ConfigError, match=r"extensions names .*nothing\.py"):
        opened(run, extensions=["nothing.py"])
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0")
    with pytest.raises(ConfigError, match=r"broken\.py could not be run: ZeroDivisionError"):
        opened(run, extensions=[str(broken)])
