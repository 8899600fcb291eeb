"""The command line: help, clear errors, the right Snakemake call."""

import json
import os
import subprocess
import sys

from typer.testing import CliRunner

from havir_lib import cli
from havir_lib.io import write_json
from havir_lib.paths import PROJECT_ROOT
from havir_lib.runner.supervisor import PLAN, snakemake
from havir_lib.workflow import Plan

runner = CliRunner()


def _havir(*arguments):
    command = [sys.executable, "-m", "havir_lib", *arguments]
    return subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True)


def test_help_lists_the_commands():
    result = runner.invoke(cli.app, ["--help"])
    assert result.exit_code == 0
    for command in ("doctor", "simulate", "run", "report"):
        assert command in result.output


def test_doctor_reports_packages_and_device():
    result = runner.invoke(cli.app, ["doctor"])
    assert result.exit_code == 0, result.output
    assert "ok      torch" in result.output
    assert "device: " in result.output


def test_an_unknown_profile_is_one_clear_line_without_traceback():
    result = _havir("run", "--profile", "dmeo")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: There is no configuration")
    assert "Traceback" not in result.stderr


def test_paper_without_data_says_how_to_give_it():
    result = _havir("run", "--profile", "paper")
    assert result.returncode == 1
    assert "--data DIR" in result.stderr


def test_snakemake_call_carries_settings_and_extra_arguments(tmp_path):
    plan = Plan.of("smoke", {"workspace": str(tmp_path)})
    write_json(plan.folder / PLAN, plan.jobs)
    plan = plan.folder / PLAN
    command = snakemake(plan, "2", ["--executor", "slurm"])
    assert command[command.index("--cores") + 1] == "2"
    assert command[command.index("--directory") + 1] == str(tmp_path)
    assert command[-2:] == ["--executor", "slurm"]
    assert "--rerun-incomplete" in command
    assert "--resources" not in command  # other machines' memory and cards are not this one's
    assert "--resources" in snakemake(plan, "2", [])


def test_packages_of_a_pythonpath_stay_out(tmp_path):
    (tmp_path / "typer.py").write_text("raise ImportError('a foreign package')")
    command = [sys.executable, "-m", "havir_lib", "doctor"]
    variables = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, env=variables, cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "PYTHONPATH" in done.stderr


def test_a_folder_that_is_not_there_is_said_first(tmp_path):
    result = _havir("run", "--profile", "paper", "--data", str(tmp_path / "nosuch"))
    assert result.returncode == 1
    assert "nosuch: expected a folder, but there is none" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_unknown_metric_is_said_before_anything_runs(tmp_path):
    settings = {"workspace": str(tmp_path / "w"), "evaluation.metrics": ["PixCor"]}
    result = _havir("run", "--profile", "smoke", "--overrides", json.dumps(settings))
    assert result.returncode == 1
    assert "Did you mean 'PixCorr'?" in result.stderr
    assert not (tmp_path / "w").exists()
