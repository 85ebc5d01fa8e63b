"""The command line: ``reproduce``, ``list``, ``verify``; other commands have rooms of their own."""

from __future__ import annotations

import sys
from typing import Any

import click
import pandas as pd
from tqdm import tqdm

from rndcfl import __version__
from rndcfl.book.bench.cli import bench
from rndcfl.book.course.cli import course
from rndcfl.book.discover_command import discover
from rndcfl.book.flower_command import flower
from rndcfl.book.run.parameters import PROFILES
from rndcfl.book.site.cli import html
from rndcfl.common.errors import InputError, check_name
from rndcfl.common.files import WriteError


class _Group(click.Group):
    """Turns our errors into one line and exit code 2, as click does with its own."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as problem:
            raise click.UsageError(str(problem)) from None
        except WriteError as problem:
            raise click.ClickException(str(problem)) from None

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            kwargs["standalone_mode"] = False
            return super().main(*args, **kwargs)
        except click.exceptions.NoArgsIsHelpError as wanted:
            click.echo(wanted.ctx.get_help() if wanted.ctx else "")
            sys.exit(2)
        except click.ClickException as problem:
            click.echo(f"rndcfl: {problem.format_message()}", err=True)
            sys.exit(2)
        except (click.Abort, KeyboardInterrupt):
            click.echo("rndcfl: interrupted; run the same command again to go on", err=True)
            sys.exit(130)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Discover who should learn together, before training: random network distillation for
    clustered federated learning."""


main.add_command(bench)
main.add_command(course)
main.add_command(discover)
main.add_command(flower)
main.add_command(html)


@main.command()
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    default="demo",
    show_default=True,
    help="Scale: smoke (a test), demo (minutes), paper (the published run).",
)
@click.option("--only", multiple=True, metavar="NN", help="Only this notebook; may be repeated.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NN.NAME=VALUE",
    help="Change a parameter, e.g. 03.rounds=5; may be repeated.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Notebooks to run side by side.",
)
@click.option(
    "--force", is_flag=True, help="Run again from the start, even what is finished, and replace it."
)
def reproduce(
    profile: str, only: tuple[str, ...], changes: tuple[str, ...], jobs: int, force: bool
) -> None:
    """Execute the notebooks and say where their figures are. Resumes where it was interrupted."""
    from rndcfl.book import paths
    from rndcfl.book.run import parameters, planning

    parsed = parameters.parse_changes(changes)
    names = [paths.notebook_name(name) for name in only] or list(paths.notebooks())
    for name in parsed:
        if name not in names:
            raise InputError(f"--set names notebook {name}, which --only leaves out")
    planned = planning.plan(profile, sorted(set(names)), parsed)
    minutes = sum(parameters.expected_minutes(job.name, profile) for job in planned)
    click.echo(
        f"{len(planned)} notebooks, profile {profile}, {jobs} at a time: "
        f"about {minutes:.0f} minutes on two cores if they ran one after the other"
    )
    ended = _run(planned, jobs, force)
    planning.manifest(profile)
    _say_where(ended)
    if any(record["status"] not in ("fresh", "ok") for _, record in ended):
        sys.exit(1)


def _run(planned: list[Any], jobs: int, force: bool) -> list[tuple[Any, dict[str, Any]]]:
    from rndcfl.book.run import runner

    ended = []
    with tqdm(total=len(planned), unit="notebook", disable=None) as bar:
        for job, record in runner.reproduce(planned, jobs, force):
            ended.append((job, record))
            bar.write(f"  {job.name:<24} {_outcome(record)}", file=sys.stdout)
            bar.update()
    return ended


def _outcome(record: dict[str, Any]) -> str:
    if record["status"] == "fresh":
        return "up to date"
    if record["status"] == "ok":
        return f"done in {record['seconds']:.0f} s"
    return f"{record['status'].upper()}: {record['error']}"


def _say_where(ended: list[tuple[Any, dict[str, Any]]]) -> None:
    from rndcfl.book import paths

    for job, record in sorted(ended, key=lambda pair: pair[0].name):
        if record["status"] not in ("fresh", "ok"):
            _say_failed(job, record)
            continue
        for path in sorted(job.folder.glob("*.png")):
            click.echo(f"figure  {paths.shown(path)}")
    if any(job.published for job, _ in ended):
        click.echo(f"published figures and tables: {paths.shown(paths.figures())}")


def _say_failed(job: Any, record: dict[str, Any]) -> None:
    from rndcfl.book import paths

    failed = job.folder.with_name(f"{job.folder.name}.failed")
    if record["status"] == "killed":
        told = "was killed; run the same command again to go on"
    else:
        told = f"failed; look at {paths.shown(failed / 'notebook.ipynb')}"
    click.echo(f"{job.name} {told}", err=True)


@main.command("list")
@click.option("--profile", type=click.Choice(PROFILES), default="demo", show_default=True)
@click.option("--check", is_flag=True, help="Exit with 1 unless all is fresh.")
def list_(profile: str, check: bool) -> None:
    """Show the notebooks: parameters, expected minutes and state.

    With profile paper also the state of the published figures.
    """
    from rndcfl.book import paths
    from rndcfl.book.provenance import verify
    from rndcfl.book.run import parameters, planning

    fresh = True
    for job in planning.plan(profile, list(paths.notebooks()), {}):
        minutes = parameters.expected_minutes(job.name, profile)
        state = planning.state(job)
        click.echo(f"{job.name:<24} {minutes:5.1f} min  {state}")
        fresh &= state == "fresh"
        for p in parameters.declared(paths.notebooks()[job.name]).values():
            value = f"{p.name} = {job.parameters[p.name]!r}"
            click.echo(f"    {value:<34} {p.kind:<6} {p.help}")
        for id, found in verify.figures(job.folder).items() if job.published else ():
            told = state if found == "as in the run" else found
            click.echo(f"    figures/{id:<26} {told}")
            fresh &= told == "fresh"
    if check and not fresh:
        sys.exit(1)


@main.command("verify")
@click.option("--only", multiple=True, metavar="NN", help="Only this notebook; may be repeated.")
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True)
def verify_(only: tuple[str, ...], jobs: int) -> None:
    """Compute a sample of the published numbers again.

    They must be the same to the bit on the same kind of machine, and within the bounds of
    notebooks/verify.yaml on another.
    """
    from rndcfl.book import paths
    from rndcfl.book.provenance import fingerprint, verify
    from rndcfl.book.run import planning

    samples = verify.samples()
    names = sorted({paths.notebook_name(name) for name in only} or samples)
    for name in names:
        check_name("notebook with a sample", name, samples)
    published = {job.name: job for job in planning.plan("paper", names, {})}
    for name, job in published.items():
        if planning.state(job) in ("missing", "failed"):
            raise InputError(f"notebook {name} has no published run in {paths.shown(job.folder)}")
    changes = {name: samples[name].parameters for name in names}
    planned = [planning.apart(job, "verify") for job in planning.plan("paper", names, changes)]
    here = {"machine": fingerprint.machine(), "versions": fingerprint.versions()}
    told, failed = [], False
    for job, record in sorted(_run(planned, jobs, force=True), key=lambda pair: pair[0].name):
        if record["status"] != "ok":
            _say_failed(job, record)
            failed = True
            continue
        run = planning.record_of(published[job.name].folder) or {}
        exactly = {key: run.get(key) for key in here} == here
        found = verify.compare(samples[job.name], published[job.name].folder, job.folder)
        found.insert(0, "notebook", job.name)
        wanted = "the same bits" if exactly else "within bounds"
        told.append(found.assign(wanted=wanted, passed=verify.passed(found, exactly)))
    if told:
        table = pd.concat(told)
        failed |= not table["passed"].all()
        click.echo(table.to_string(index=False))
        click.echo(
            f"{table['numbers'].sum()} numbers of {len(told)} notebooks computed again, "
            f"{table['identical'].sum()} identical to the bit"
        )
    click.echo("NOT as published" if failed else "verified")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
