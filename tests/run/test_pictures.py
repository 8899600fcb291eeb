"""Pictures that another program made are a method of Table III and Figure 3."""

import pytest
from matplotlib.text import Text
from PIL import Image

from havir_lib import open_run
from havir_lib.config import absolute_paths, dotted, load_config
from havir_lib.errors import ConfigError, DataError
from havir_lib.pages import captions, comparison
from havir_lib.run.methods import METHODS
from havir_lib.workflow import Plan
from tests.conftest import SMALL


@pytest.fixture(autouse=True)
def _forget():
    yield
    for name in [name for name, method in METHODS.items() if method.added]:
        del METHODS[name]


@pytest.fixture
def folder(run, tmp_path):
    """HAVIR's own pictures, as another program would have written them."""
    for name in run.subjects:
        (tmp_path / name).mkdir()
        made = run.images(name)
        for image, picture in zip(made.image_ids, made.images, strict=True):
            Image.fromarray(picture).save(tmp_path / name / f"{image}.png")
    return tmp_path


def opened(run, pictures):
    settings = {"workspace": str(run.workspace.root), "comparison.pictures": pictures}
    return open_run("smoke", {**SMALL, **settings})


def test_they_score_as_they_would_from_here_and_are_in_the_table_and_the_figure(run, folder):
    own = opened(run, {"theirs": f"{folder}/{{subject}}"})
    assert own.config.variant != run.config.variant  # it has a workspace of its own
    table = comparison.table3(own)
    assert table.loc["theirs"].tolist() == table.loc["HAVIR"].tolist()
    drawn = comparison.figure3.__wrapped__(own)
    assert list(drawn.made_from)[-3:] == ["theirs", "shuffled voxels", "true targets"]
    assert "theirs" in {text.get_text() for text in drawn.figure.findobj(Text)}
    assert "theirs" not in set(captions.retrieval_scores(own)["method"])
    with pytest.raises(ConfigError, match="Only pictures of 'theirs' are known"):
        own.predictions(own.base_subject, "theirs")
    assert opened(run, {"theirs": f"{folder}/{{subject}}"}).method_names() == own.method_names()
    assert "theirs" not in run.method_names()


def test_a_folder_that_lacks_a_picture_is_an_error(run, folder):
    own = opened(run, {"theirs": f"{folder}/{{subject}}"})
    next((folder / run.subjects[1]).glob("*.png")).unlink()
    with pytest.raises(DataError, match=f"{run.subjects[1]} lacks 1 of the"):
        own.all_scores(("theirs",))


@pytest.mark.parametrize("name", ["HAVIR", "a/b", "", "a.b", "{x}"])
def test_odd_names(run, tmp_path, name):
    with pytest.raises(ConfigError):
        opened(run, {name: str(tmp_path)})


def test_a_changed_picture_runs_every_step_again(tmp_path):
    def keys():
        settings = {"workspace": str(tmp_path / "w"), "comparison.pictures": {"x": str(tmp_path)}}
        return [step.key for step in Plan.of("smoke", settings).steps]

    before = keys()
    (tmp_path / "1.png").write_bytes(b"1")
    assert not set(before) & set(keys())


def test_relative_folders_are_meant_from_where_the_run_is_called(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    config = load_config("smoke", {"comparison.pictures": {"x": "made/{subject}"}})
    found = absolute_paths(dotted(config.model_dump()))
    assert found["comparison.pictures.x"] == str(tmp_path / "made/{subject}")


def test_test_images_are_known_without_voxels(run):
    for name in run.subjects:
        assert run.test_images(name).tolist() == sorted(run.subject(name).test_images.tolist())
