"""``rndcfl discover``: federations of your own files, or of a dataset shared out to clients."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rndcfl.book.bench.output import check_new, write
from rndcfl.common.errors import InputError, Notice
from rndcfl.common.files import write_whole

if TYPE_CHECKING:
    from rndcfl.clients import Clients

OF_FILES = ("target", "drop", "missing", "size", "kind")
OF_DATASETS = ("dataset", "setting", "n_clients", "n_groups", "samples")
NEW = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--target", metavar="COLUMN", help="Tables: the column of labels [default: y].")
@click.option("--drop", multiple=True, metavar="COLUMN", help="Tables: leave out; repeatable.")
@click.option("--missing", multiple=True, metavar="TEXT", help="Tables: what stands for missing.")
@click.option("--size", type=int, metavar="PIXELS", help="Images: bring all to this size.")
@click.option("--kind", metavar="images|series|table|text", help="Arrays: what they are.")
@click.option("--dataset", default="fashion-mnist-mini", show_default=True, metavar="D")
@click.option("--setting", default="pattern", show_default=True, metavar="S")
@click.option("--clients", "n_clients", type=int, default=12, show_default=True)
@click.option("--groups", "n_groups", type=int, default=4, show_default=True)
@click.option("--samples", type=int, help="Training samples per client [default: all there are].")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--criterion", default="calibrated", show_default=True, metavar="C")
@click.option(
    "--by",
    default="novelty",
    show_default=True,
    metavar="novelty|features",
    help="What clients are compared by; features train nothing.",
)
@click.option("--labels", is_flag=True, help="Compare inputs and labels.")
@click.option("--tolerance", type=float, metavar="EPSILON", help="Of the paper's criterion.")
@click.option("--json", "file", type=NEW, help="Also write labels, distances and costs to a file.")
@click.option("--csv", type=NEW, help="Also write the table to a file.")
@click.option("--report", type=NEW, help="Also write a page (.html) with pictures to a file.")
@click.pass_context
def discover(ctx: click.Context, files: tuple[Path, ...], **asked: Any) -> None:
    """Find the federations of your own FILES, one for each client.

    CSV in any dialect, Parquet, npz, or folders of images. Without FILES a dataset is shared out to
    clients under a non-IID setting.
    """
    from rndcfl.book.finding import told
    from rndcfl.discovery import Discoverer

    for name in ("file", "csv", "report"):
        check_new(asked[name])
    _check_options(ctx, files)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Notice)  # they are told at the end
        clients = _own(files, asked) if files else _shared_out(asked)
        how = Discoverer.of(
            asked["criterion"], asked["tolerance"], by=asked["by"], labels=asked["labels"]
        )
        found = how.discover(clients, asked["seed"])
    table = told.table(clients, found)
    click.echo(table.to_string(index=False, na_rep="-", float_format="%.1f"))
    click.echo("\n".join(told.summary(clients, found)))
    about = {name: asked[name] for name in ("seed", "by")}
    if files:
        about |= dict(files=[str(file) for file in files])
    else:
        about |= {name: asked[name] for name in ("dataset", "setting", "samples")}
    write(asked["file"], {**about, **told.result(clients, found)})
    if asked["csv"]:
        write_whole(asked["csv"], table.to_csv(index=False, lineterminator="\n"))
        click.echo(f"written to {asked['csv']}")
    if asked["report"]:
        from rndcfl.book.finding.report import report

        write_whole(asked["report"], report(clients, found))
        click.echo(f"written to {asked['report']}")


def _check_options(ctx: click.Context, files: tuple[Path, ...]) -> None:
    """Raise for options that have no use with files, or without."""
    useless = OF_DATASETS if files else OF_FILES
    for option in ctx.command.params:
        given = ctx.get_parameter_source(str(option.name)) is click.core.ParameterSource.COMMANDLINE
        if given and option.name in useless:
            raise InputError(
                f"{option.opts[0]} is for {'a dataset' if files else 'files'}, and "
                f"{'files were' if files else 'no files were'} given"
            )


def _own(files: tuple[Path, ...], asked: dict[str, Any]) -> Clients:
    from rndcfl.data.own_files import from_files

    given = {name: asked[name] for name in ("target", "drop", "size", "kind")}
    if asked["missing"]:
        given["missing"] = ("", *asked["missing"])
    clients = from_files(files, **given)
    if len(clients) < 2:
        raise InputError(f"{files[0]} is one client; give the files of two and more")
    return clients


def _shared_out(asked: dict[str, Any]) -> Clients:
    from rndcfl.settings.partition import make_clients

    counts = asked["n_clients"], asked["n_groups"], asked["seed"], asked["samples"]
    return make_clients(asked["dataset"], asked["setting"], *counts)
