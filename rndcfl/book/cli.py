"""The command line: ``reproduce``, ``list``, ``verify``; other commands have rooms of their own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from rndcfl import __version__
from rndcfl.book.bench.cli import bench
from rndcfl.book.course.cli import course
from rndcfl.book.finding.cli import discover
from rndcfl.book.flower_command import flower
from rndcfl.book.run.parameters import PROFILES
from rndcfl.book.site.cli import html
from rndcfl.common.errors import InputError
from rndcfl.common.files import WriteError

if TYPE_CHECKING:
    from rndcfl.book.run.planning import Job

    Ended = tuple[Job, dict[str, Any]]  # a job, and the record of how it ended

DONE = ("fresh", "ok")  # a record's status where all went well


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
            click.echo("rndcfl: interrupted; run the same command again to resume", err=True)
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
    """Execute the notebooks and list their figures. An interrupted run is resumed."""
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
    _list_figures(ended)
    if _report_failures(ended):
        sys.exit(1)


def _run(planned: list[Job], jobs: int, force: bool) -> list[Ended]:
    """Execute jobs, with a line for each as it ends; all with their records, in order of name."""
    from rndcfl.book.run import runner

    ended = []
    with tqdm(total=len(planned), unit="notebook", disable=None) as bar:
        for job, record in runner.reproduce(planned, jobs, force):
            ended.append((job, record))
            bar.write(f"  {job.name:<24} {_outcome(record)}", file=sys.stdout)
            bar.update()
    return sorted(ended, key=lambda pair: pair[0].name)


def _outcome(record: dict[str, Any]) -> str:
    if record["status"] == "fresh":
        return "up to date"
    if record["status"] == "ok":
        return f"done in {record['seconds']:.0f} s"
    return f"{record['status'].upper()}: {record['error']}"


def _list_figures(ended: list[Ended]) -> None:
    from rndcfl.book import paths

    for job, record in ended:
        if record["status"] in DONE:
            for path in sorted(job.folder.glob("*.png")):
                click.echo(f"figure  {paths.shown(path)}")
    if any(job.published for job, _ in ended):
        click.echo(f"published figures and tables: {paths.shown(paths.figures())}")


def _report_failures(ended: list[Ended]) -> bool:
    """Print a line for each run that did not succeed; whether there is one."""
    from rndcfl.book import paths
    from rndcfl.book.run.planning import beside

    failed = [(job, record["status"]) for job, record in ended if record["status"] not in DONE]
    for job, status in failed:
        notebook = beside(job.folder, "failed") / "notebook.ipynb"
        line = f"failed; look at {paths.shown(notebook)}"
        if status == "killed":
            line = "was killed; run the same command again to resume"
        click.echo(f"{job.name} {line}", err=True)
    return bool(failed)


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
            figure_state = state if found == "as in the run" else found
            click.echo(f"    figures/{id:<26} {figure_state}")
            fresh &= figure_state == "fresh"
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
    from rndcfl.book.provenance import verify

    published, again = verify.planned(map(paths.notebook_name, only))
    ended = _run(again, jobs, force=True)
    failed = _report_failures(ended)
    computed = [job for job, record in ended if record["status"] in DONE]
    if computed:
        table = verify.compare_all(published, computed)
        failed |= not table["passed"].all()
        click.echo(table.to_string(index=False))
        click.echo(
            f"{table['numbers'].sum()} numbers of {len(computed)} notebooks computed again, "
            f"{table['identical'].sum()} identical to the bit"
        )
    click.echo("NOT as published" if failed else "verified")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
