"""What a run gives is made once, however it is asked for, and cannot be spoilt."""

import numpy as np
import pytest

from havir_lib.run import Run


def test_the_same_question_has_one_answer(run):
    answers = [
        run.predictions("subj01"),
        run.predictions("subj01", "HAVIR"),
        run.predictions(name="subj01", method="HAVIR"),
    ]
    assert answers[0].latents is answers[1].latents is answers[2].latents
    subjects = [run.subject("subj01"), run.subject(name="subj01")]
    assert subjects[0].train_betas is subjects[1].train_betas


@pytest.mark.parametrize(
    "array",
    [
        lambda run: run.subject("subj02").test_betas,
        lambda run: run.subject("subj02").ijk,
        lambda run: run.targets("subj01").latents,
        lambda run: run.predictions("subj01").image_tokens,
        lambda run: run.images("subj01").images,
        lambda run: run.test_stimuli("subj01"),
    ],
)
def test_arrays_of_a_run_are_read_only(run, array):
    with pytest.raises(ValueError, match="read-only"):
        array(run)[:1] = 0


def test_tables_of_a_run_are_copies(run):
    first = run.scores("subj01")
    first["value"] = 7.0
    assert run.scores("subj01")["value"].max() <= 1
    subject = run.subject("subj01")
    subject.rois.iloc[:, 0] = True
    assert not run.subject("subj01").rois.iloc[:, 0].all()


def test_a_run_keeps_no_more_than_it_says(run):
    kept = run._made
    for name in run.subjects:
        for method in ("HAVIR", "ridge", "shuffled voxels"):
            run.predictions(name, method)
    assert len(kept["predictions"]) == 4


def test_runs_with_other_settings_share_nothing(run):
    from dataclasses import replace

    other = replace(run, config=run.config)
    assert isinstance(other, Run)
    assert other._made == {}
    assert np.array_equal(other.subject("subj01").ijk, run.subject("subj01").ijk)
