"""The command line: ``rndcfl reproduce``, ``list``, ``discover``, and groups of their own rooms."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
import pandas as pd
from tqdm import tqdm

from rndcfl import __version__
from rndcfl.bench.cli import bench
from rndcfl.course.cli import course
from rndcfl.errors import InputError
from rndcfl.files import WriteError, write_whole
from rndcfl.flower.cli import flower
from rndcfl.parameters import PROFILES
from rndcfl.reading.cli import html


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
    "--force",
    is_flag=True,
    help="Run again from the start, even what is finished, and replace it.",
)
def reproduce(
    profile: str, only: tuple[str, ...], changes: tuple[str, ...], jobs: int, force: bool
) -> None:
    """Execute the notebooks and say where their figures are. Resumes where it was interrupted."""
    from rndcfl import parameters, paths, runner

    parsed = parameters.parse_changes(changes)
    names = [paths.notebook_name(name) for name in only] or list(paths.notebooks())
    for name in parsed:
        if name not in names:
            raise InputError(f"--set names notebook {name}, which --only leaves out")
    planned = runner.plan(profile, sorted(set(names)), parsed)
    minutes = sum(parameters.expected_minutes(job.name, profile) for job in planned)
    click.echo(
        f"{len(planned)} notebooks, profile {profile}: about {minutes:.0f} minutes "
        f"one after the other on one core, {jobs} at a time"
    )
    ended = []
    with tqdm(total=len(planned), unit="notebook", disable=None) as bar:
        for job, record in runner.reproduce(planned, jobs, force):
            ended.append((job, record))
            bar.write(f"  {job.name:<24} {_outcome(record)}", file=sys.stdout)
            bar.update()
    runner.manifest(profile)
    _say_where(ended)
    if any(record["status"] not in ("fresh", "ok") for _, record in ended):
        sys.exit(1)


def _outcome(record: dict[str, Any]) -> str:
    if record["status"] == "fresh":
        return "up to date"
    if record["status"] == "ok":
        return f"done in {record['seconds']:.0f} s"
    return f"{record['status'].upper()}: {record['error']}"


def _say_where(ended: list[tuple[Any, dict[str, Any]]]) -> None:
    from rndcfl import paths

    for job, record in sorted(ended, key=lambda pair: pair[0].name):
        if record["status"] == "killed":
            click.echo(f"{job.name} was killed; run the same command again to go on", err=True)
            continue
        if record["status"] not in ("fresh", "ok"):
            failed = job.folder.with_name(f"{job.folder.name}.failed")
            click.echo(
                f"{job.name} failed; look at {paths.shown(failed / 'notebook.ipynb')}", err=True
            )
            continue
        for path in sorted(job.folder.glob("*.png")):
            click.echo(f"figure  {paths.shown(path)}")
    if any(job.published for job, _ in ended):
        click.echo(f"published figures and tables: {paths.shown(paths.figures())}")


@main.command("list")
@click.option("--profile", type=click.Choice(PROFILES), default="demo", show_default=True)
def list_(profile: str) -> None:
    """Show the notebooks: parameters, expected minutes and state."""
    from rndcfl import parameters, paths, runner

    for job in runner.plan(profile, list(paths.notebooks()), {}):
        minutes = parameters.expected_minutes(job.name, profile)
        click.echo(f"{job.name:<24} {minutes:5.1f} min  {runner.state(job)}")
        for p in parameters.declared(paths.notebooks()[job.name]).values():
            value = f"{p.name} = {job.parameters[p.name]!r}"
            click.echo(f"    {value:<34} {p.kind:<6} {p.help}")


@main.command()
@click.option("--dataset", default="fashion-mnist-mini", show_default=True, metavar="D")
@click.option("--setting", default="pattern", show_default=True, metavar="S")
@click.option("--clients", "n_clients", type=int, default=12, show_default=True)
@click.option("--groups", "n_groups", type=int, default=4, show_default=True)
@click.option("--samples", type=int, help="Training samples per client [default: all there are].")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--criterion", default="calibrated", show_default=True, metavar="C")
@click.option("--tolerance", type=float, metavar="EPSILON", help="Of the paper's criterion.")
@click.option(
    "--json",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write labels, novelty and costs to this file.",
)
def discover(
    dataset: str, setting: str, n_clients: int, n_groups: int, samples: int | None, seed: int,
    criterion: str, tolerance: float | None, file: Path | None,
) -> None:  # fmt: skip
    """Share a dataset out to clients and discover their federations."""
    from rndcfl.discovery import check_discovery
    from rndcfl.discovery import discover as find
    from rndcfl.findings import ProfileDiscovery
    from rndcfl.metrics import ari, exact, nmi
    from rndcfl.partition import make_clients

    if file is not None and file.exists():
        raise InputError(f"{file} exists; name another file or remove it")
    clients = make_clients(dataset, setting, n_clients, n_groups, seed, samples)
    check_discovery(clients, criterion, tolerance)
    found = find(clients, criterion, tolerance, seed)
    assert clients.groups is not None
    table = pd.DataFrame({
        "client": range(len(clients)), "samples": list(map(len, clients)),
        "true group": clients.groups, **found.explain().drop(columns=["client", "scored"]),
    })  # fmt: skip
    costs = found.ledger.total()
    score = dict(exact=exact(clients.groups, found.labels), ari=ari(clients.groups, found.labels),
                 nmi=nmi(clients.groups, found.labels))  # fmt: skip
    click.echo(table.to_string(index=False, na_rep="-", float_format="%.1f"))
    if isinstance(found, ProfileDiscovery):
        click.echo(
            f"differences below {found.detectable.max():.2f} standard deviations would go unseen; "
            f"{found.samples_needed(1.0)} samples per client show 1.0, "
            f"{found.samples_needed(0.5)} show 0.5"
        )
    click.echo(
        f"{found.n_federations} federations by criterion {found.criterion}; "
        f"ARI {score['ari']:.3f} ({'exact' if score['exact'] else 'not exact'})\n"
        f"{costs.seconds:.1f} s; per client {costs.bytes_up / len(clients) / 1e3:.0f} kB up, "
        f"{costs.bytes_down / len(clients) / 1e3:.0f} kB down"
    )
    if file is not None:
        result = dict(
            dataset=dataset, setting=setting, samples=samples, seed=seed, criterion=found.criterion,
            tolerance=tolerance, labels=found.labels.tolist(), groups=clients.groups.tolist(),
            n_federations=found.n_federations, **score, novelty=found.novelty.tolist(),
            excess=found.excess.tolist(), costs=costs.to_dict(),
        )  # fmt: skip
        if isinstance(found, ProfileDiscovery):
            result |= dict(
                distance=found.distance.tolist(), detectable=found.detectable.tolist(),
                p_values=found.p_values.tolist(),
            )  # fmt: skip
        write_whole(file, json.dumps(result, indent=1) + "\n")
        click.echo(f"written to {file}")


if __name__ == "__main__":
    main()
