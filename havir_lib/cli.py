"""The command line: the library for people who don't open notebooks."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from havir_lib import doctor as environment
from havir_lib.errors import ConfigError, HavirError
from havir_lib.parse import read_overrides
from havir_lib.paths import shipped

if TYPE_CHECKING:
    from havir_lib.workflow import Plan

app = typer.Typer(
    help="HAVIR companion: from fMRI betas to reconstructed images.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

mini = typer.Typer(help="The small models that ship with the package.", no_args_is_help=True)
app.add_typer(mini, name="mini")
subjects = typer.Typer(help="A subject of your own, laid out as NSD is.", no_args_is_help=True)
app.add_typer(subjects, name="subject")

Profile = Annotated[str, typer.Option(help="a profile in configs/, or a YAML file")]
Overrides = Annotated[
    str, typer.Option(help='settings to change, as JSON: {"diffusion.steps": 50}')
]
DataFolder = Annotated[Path | None, typer.Option("--data", help="folder that holds NSD")]


@app.command()
def doctor() -> None:
    """Show what is installed, what is missing, and the device that will be used."""
    findings = environment.check_packages()
    for finding in findings:
        mark = "ok     " if finding.ok else "MISSING"
        typer.echo(f"{mark} {finding.name} {finding.expected}: {finding.found}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)
    from havir_lib.devices import describe_device, describe_driver, pick_device

    typer.echo(f"device: {describe_device(pick_device())}")
    typer.echo(f"driver: {describe_driver()}")


@app.command(context_settings={"ignore_unknown_options": True})
def run(
    profile: Profile = "demo",
    data: DataFolder = None,
    overrides: Overrides = "{}",
    cores: Annotated[str, typer.Option(help="CPU cores, or 'all'")] = "all",
    full: Annotated[bool, typer.Option("--full", help="with all baselines and controls")] = False,
    snakemake_args: Annotated[
        list[str] | None, typer.Argument(help="passed on to Snakemake")
    ] = None,
) -> None:
    """Run every notebook of a profile and make its figures, tables and site."""
    from havir_lib.data.readers import open_reader
    from havir_lib.runner.marks import still_done
    from havir_lib.workflow import Plan

    given = {**_settings(overrides, data), **({"comparison.full": True} if full else {})}
    _stop_if_missing(profile, given)
    plan = Plan.of(profile, given)
    jobs = plan.jobs
    if not snakemake_args and still_done(plan.folder, jobs) == jobs.keys():
        typer.echo("Nothing to be done: all steps are of this code, these settings and these data.")
    else:
        _run_steps(plan, jobs, cores, snakemake_args or [])
    made = {
        "site": plan.report,
        "figures": plan.workspace.figures,
        "tables": plan.workspace.tables,
    }
    for what, path in made.items():
        if Path(path).exists():  # not after Snakemake's --until or a dry run
            typer.echo(f"{what.ljust(8)} {path}")
    if not (plan.config.simulated or open_reader(plan.config).simulated):
        from havir_lib.reports.site import MEASURED_NOTE

        typer.echo(f"note     {MEASURED_NOTE}")
    elif _has_reference(plan) and Path(plan.report).exists():
        typer.echo(_verified(plan))


def _run_steps(plan: Plan, jobs: dict[str, dict], cores: str, extra: list[str]) -> None:
    from havir_lib.names import check_names
    from havir_lib.room import check_room
    from havir_lib.runner.supervisor import outcome, supervise

    check_names(plan.config)
    typer.echo(check_room(plan.config, plan.workspace))
    if code := supervise(plan.folder, jobs, cores, extra):
        typer.echo(outcome(plan.folder, code), err=True)
        raise typer.Exit(code)


def _has_reference(plan: Plan) -> bool:
    from havir_lib.reports.verify import references

    return bool(references(shipped("tables/reference"), plan.config.reference))


def _verified(plan: Plan) -> str:
    from havir_lib.reports.verify import verify

    return verify(plan.workspace.tables, shipped("tables/reference"), plan.config.reference).text


@app.command()
def verify(
    profile: Profile = "demo",
    full: Annotated[bool, typer.Option("--full", help="of a run with --full")] = False,
    overrides: Overrides = "{}",
) -> None:
    """Compare every number that a run has made with those that the project commits."""
    from havir_lib.workflow import Plan

    given = {**_settings(overrides), **({"comparison.full": True} if full else {})}
    typer.echo(_verified(Plan.of(profile, given)))


@app.command()
def publish(profile: Profile = "demo") -> None:
    """Refresh what the project commits of a profile's runs, with and without --full.

    Outputs of the notebooks, the reference of `havir verify`, and the numbers in the texts.
    """
    from havir_lib.publish import publish as refresh

    for line in refresh(profile):
        typer.echo(line)


def _settings(overrides: str, data: Path | None = None) -> dict[str, Any]:
    """Dotted keys and values; a folder of data, which must exist, is one of them."""
    given = read_overrides(overrides)
    if data is None:
        return given
    if not data.expanduser().is_dir():
        raise ConfigError(f"--data {data}: expected a folder, but there is none.")
    return given | {"data.root": str(data)}


def _stop_if_missing(profile: str, settings: dict[str, Any]) -> None:
    """Say on one screen what a run would not find, and how to get it."""
    from havir_lib.download import missing_report, open_profile

    if text := missing_report(open_profile(profile, settings)):
        typer.echo(text, err=True)
        raise typer.Exit(1)


@app.command()
def download(
    profile: Profile = "paper",
    data: DataFolder = None,
    subjects: Annotated[str, typer.Option(help="e.g. subj01,subj05; default: the profile's")] = "",
    what: Annotated[str, typer.Option(help="of nsd,coco,weights")] = "nsd,coco,weights",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show what and how much")] = False,
    list_files: Annotated[bool, typer.Option("--list", help="with --dry-run: every file")] = False,
    accept_terms: Annotated[
        bool, typer.Option("--accept-terms", help="I accepted NSD's terms and sent in its form")
    ] = False,
    offline: Annotated[
        bool, typer.Option(help="no network: check what is here", envvar="HF_HUB_OFFLINE")
    ] = False,
    endpoint_url: Annotated[
        str | None, typer.Option(help="S3 server that has NSD's bucket, in place of Amazon's")
    ] = None,
    overrides: Overrides = "{}",
) -> None:
    """Fetch and check the data and weights that a profile needs; run again to continue."""
    from havir_lib import download as get

    settings = read_overrides(overrides)
    if endpoint_url is not None:
        settings["download.endpoint_url"] = endpoint_url
    config = get.open_profile(profile, settings, data)
    root = Path(config.data.root or ".").expanduser()
    chosen: dict[str, Any] = {"what": _names(what), "subjects": _names(subjects) or None}
    if offline:
        lost = get.verify_download(config, root, **chosen, say=typer.echo)
        raise typer.Exit(1 if lost else 0)
    if dry_run:
        get.preview_download(config, root, **chosen, list_files=list_files, say=typer.echo)
        return
    ask = typer.prompt if sys.stdin.isatty() else None
    try:
        get.fetch_all(config, root, **chosen, accept_terms=accept_terms, ask=ask, say=typer.echo)
    except KeyboardInterrupt:
        typer.echo("Stopped. Run the same command again to continue.", err=True)
        os._exit(130)  # at once: a thread may wait for a silent server, and holds nothing whole


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


@app.command()
def simulate(
    profile: Profile = "demo",
    overrides: Overrides = "{}",
    layout: Annotated[str, typer.Option(help="nsd, or bids: a folder of one's own")] = "nsd",
    to: Annotated[Path | None, typer.Option(help="with bids: a folder for it")] = None,
    captions: Annotated[bool, typer.Option(help="with bids: whether to write any")] = True,
    uneven: Annotated[
        int | None, typer.Option(help="with bids: seed by which sessions are cut short")
    ] = None,
) -> None:
    """Write the simulated subjects of a profile to disk, and print where."""
    opened = _open(profile, overrides)
    if layout == "nsd":
        typer.echo(opened.data_root)
        return
    if layout != "bids" or to is None:
        raise ConfigError(f"Expected --layout nsd, or --layout bids --to FOLDER; found {layout!r}.")
    from havir_lib.data.export import export_own

    n_captions = opened.config.targets.captions_per_image if captions else 0
    typer.echo(export_own(opened.reader, to.expanduser(), opened.subjects, n_captions, uneven))


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="a folder for the model")],
    profile: Profile = "demo",
    data: DataFolder = None,
    overrides: Overrides = "{}",
    subject: Annotated[str, typer.Option(help="default: the base subject")] = "",
) -> None:
    """Write a trained subject to a folder: to share, to start others from, to reconstruct with."""
    opened = _open(profile, overrides, data)
    typer.echo(opened.export(subject or opened.base_subject, folder.expanduser()))


@app.command()
def reconstruct(
    model: Annotated[Path, typer.Argument(help="folder that `havir export` wrote")],
    betas: Annotated[list[Path], typer.Argument(help="new betas of its subject, a file a session")],
    to: Annotated[Path, typer.Option(help="folder for the pictures")],
    trials: Annotated[
        Path | None, typer.Option(help="table with a column image, a line per trial")
    ] = None,
    zscore: Annotated[
        str, typer.Option(help="by the trials of each 'file', by those of 'training', or 'none'")
    ] = "file",
    unit: Annotated[float, typer.Option(help="factor from stored betas to % signal change")] = 1.0,
    overrides: Overrides = "{}",
    device: str = "auto",
) -> None:
    """Reconstruct pictures from new betas with a model that was exported; nothing is trained."""
    from havir_lib.devices import pick_device
    from havir_lib.run.exported import read_images, reconstruct, sections
    from havir_lib.training.exported import load_exported

    loaded = load_exported(model)
    names = read_images(trials) if trials else None
    chosen = sections(loaded, read_overrides(overrides))
    table = reconstruct(
        loaded, betas, to.expanduser(), names, zscore, unit, **chosen, device=pick_device(device)
    )
    typer.echo(f"{len(table)} pictures in {to}, {table['data'][0]} data")


@app.command()
def notebooks(
    folder: Annotated[Path, typer.Argument(help="they go into its folder `notebooks`")] = Path(),
) -> None:
    """Copy the notebooks out of an installed package, to read, run and change them."""
    from havir_lib.publish.copies import copy_notebooks

    place = copy_notebooks(folder)
    typer.echo(f"{place}: jupyter lab {place}, or havir run from {place.parent}")


@app.command()
def report(profile: Profile = "demo", overrides: Overrides = "{}") -> None:
    """Gather what a run made into a site: questions, figures, tables, notebooks, an explorer."""
    from havir_lib.pages.site import publish_site
    from havir_lib.reports.site import MEASURED_NOTE
    from havir_lib.runner.progress import took
    from havir_lib.workflow import Plan

    settings = _settings(overrides)
    plan, opened = Plan.of(profile, settings), _open(profile, overrides)
    told = _verified(plan) if _has_reference(plan) else ""
    site = Path(plan.report).parent
    typer.echo(publish_site(opened, site, plan.shown, told, took(plan.folder)))
    if not opened.simulated:
        typer.echo(MEASURED_NOTE)


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(help="images named <NSD id>.png, ids from 0")],
    profile: Profile = "demo",
    data: DataFolder = None,
    overrides: Overrides = "{}",
    subject: Annotated[str, typer.Option(help="whose test images; default: the base's")] = "",
    ids: Annotated[
        Path | None, typer.Option(help="text file of the ids to score, if not the test images")
    ] = None,
) -> None:
    """Score any method's reconstructions with the metrics of a profile.

    To have them in Table III and Figure 3: run with comparison.pictures, the folder by name.
    """
    from havir_lib.evaluation import evaluate_folder, summarise
    from havir_lib.evaluation.folder import read_ids

    opened = _open(profile, overrides, data)
    settings = opened.config.evaluation
    chosen = read_ids(ids) if ids else opened.test_images(subject or opened.base_subject)
    device = str(opened.device)
    scores = evaluate_folder(folder, opened.stimuli, settings.metrics, chosen, device)
    typer.echo(f"{len(chosen)} images")
    table = summarise(scores, (), settings.n_bootstrap, settings.confidence, opened.config.seed)
    if opened.simulated:
        typer.echo("SIMULATED stimuli")
    typer.echo(table.to_string(index=False, float_format="%.4f"))


@mini.command("train")
def mini_train(
    folder: Annotated[Path, typer.Argument(help="for checkpoints, logs and weights")],
    which: Annotated[
        str, typer.Option(help="all, vae, clip, unet, decoded, decoder or reader")
    ] = "all",
    effort: Annotated[float, typer.Option(help="multiplies the recipe's steps")] = 1.0,
    device: str = "auto",
) -> None:
    """Train the small models by the committed recipe; an interrupted training continues."""
    from havir_lib.devices import pick_device
    from havir_lib.mini import train_all, train_mini

    if which == "all":
        typer.echo(train_all(folder, pick_device(device), effort=effort))
    else:
        typer.echo(train_mini(which, folder, pick_device(device), effort=effort))


@mini.command("evaluate")
def mini_evaluate(
    folder: Annotated[Path, typer.Argument(help="cache for rendered scenes")],
    weights: Annotated[Path | None, typer.Option(help="default: those shipped")] = None,
    generated: Annotated[int, typer.Option(help="scenes to generate, at most 1000")] = 1000,
    profile: Profile = "demo",
    overrides: Overrides = "{}",
) -> None:
    """Measure the small models on 1,000 held-out scenes; writes a table and two figures."""
    from havir_lib.pages import small_models
    from havir_lib.paths import MINI_WEIGHTS

    run = _open(profile, overrides)
    table = small_models.publish_small_models(run, folder, weights or MINI_WEIGHTS, generated)
    typer.echo(table.to_string(index=False, float_format="%.3f", na_rep=""))


@subjects.command("new")
def subject_new(
    folder: Annotated[Path, typer.Argument(help="a folder for the data set, made if need be")],
    subject: Annotated[str, typer.Option(help="its name: sub- and letters or digits")] = "sub-01",
) -> None:
    """Make a folder for data of your own, with a note that says what belongs where."""
    from havir_lib.data.template import write_template

    typer.echo(write_template(folder.expanduser(), subject))


@subjects.command("check")
def subject_check(
    folder: Annotated[Path, typer.Argument(help="of the data, as data.reader expects it")],
    subject: Annotated[str, typer.Option(help="its name in the folder")] = "subj01",
    profile: Annotated[str, typer.Option(help="whose regions and betas are meant")] = "paper",
    overrides: Overrides = "{}",
) -> None:
    """Read all files of one subject, without training, and say what is there, missing or odd."""
    from havir_lib.config import load_config
    from havir_lib.data.check import check_subject, has_errors

    own = {"data.root": str(folder), "data.subjects": [subject], "data.base_subject": subject}
    usual = {"data.n_sessions": None, "data.captions": None}  # all sessions; captions in the tree
    config = load_config(profile, {**usual, **read_overrides(overrides), **own})
    findings = check_subject(config, subject)
    for finding in findings:
        typer.echo(f"{finding.level:5} {finding.topic:13} {finding.text}")
    if has_errors(findings):
        typer.echo(f"{subject} cannot be used yet: mend what is marked ERROR.")
        raise typer.Exit(1)
    typer.echo(f"{subject} can be used.")


def _open(profile: str, overrides: str, data: Path | None = None) -> Any:
    from havir_lib.run import open_run

    return open_run(profile, _settings(overrides, data))


def main() -> None:
    """Entry point: errors made on purpose are shown as text, without a traceback."""
    import havir_lib.runner  # noqa: F401 - see there what nbformat then need not import

    logging.captureWarnings(True)
    try:
        app()
    except HavirError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        where = f"{error.filename}: {error.strerror}"
        typer.echo(f"Error: {where}. Check that it is there, who owns it, and its disk.", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
