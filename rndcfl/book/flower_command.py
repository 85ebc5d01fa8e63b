"""``rndcfl flower``: the protocol on Flower, tried on this machine."""

from __future__ import annotations

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rndcfl.common.errors import InputError

if TYPE_CHECKING:
    from rndcfl.flower.trial import Trial


@click.command()
@click.option("--nodes", type=click.IntRange(2), default=2, show_default=True, help="Sites.")
@click.option("--rounds", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--samples",
    type=click.IntRange(10),
    default=200,
    show_default=True,
    help="Images of each site.",
)
@click.option("--secure", is_flag=True, help="TLS and node authentication, with keys made for it.")
@click.option("--simulation", is_flag=True, help="Flower's simulation (needs ray), no SuperNodes.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="For logs and results; default a temporary one.",
)
def flower(
    nodes: int, rounds: int, samples: int, secure: bool, simulation: bool, folder: Path | None
) -> None:
    """Run discovery and training on Flower: a SuperLink and SuperNodes on this machine."""
    needed = ["flwr"] + ["ray"] * simulation
    if missing := [name for name in needed if find_spec(name) is None]:
        extra = "flower-simulation" if simulation else "flower"
        raise InputError(f"{missing[0]} is not installed; pip install 'rndcfl[{extra}]'")
    if secure and simulation:
        raise InputError("a simulation has no connections to secure; leave one of the two out")
    from rndcfl.flower.loopback import Loopback, RunFailed
    from rndcfl.flower.trial import drawn_sites, try_out

    place = (folder or Path(tempfile.mkdtemp(prefix="rndcfl-flower-"))).absolute()
    kind = "nodes of a simulation" if simulation else "SuperNodes" + " over TLS" * secure
    click.echo(f"{nodes} {kind}, {rounds} rounds; logs and results in {place}")
    sites, simulated = ([], nodes) if simulation else (drawn_sites(nodes), 0)
    wrong: list[str] = []
    try:
        with Loopback(place, sites, secure, simulated) as loopback:
            # Two sites of different data are two federations; that alike ones join is seen as well.
            for groups in (2, 1) if nodes == 2 else (2,):
                wrong += _summarise(try_out(loopback, groups, rounds, samples))
    except RunFailed as failure:
        wrong.append(str(failure))
    for line in wrong:
        click.echo(f"rndcfl: {line}", err=True)
    if wrong:
        sys.exit(1)
    click.echo("all as it should be")


def _summarise(trial: Trial) -> list[str]:
    """Print a summary of a run; what is wrong with it."""
    from rndcfl.flower.trial import weights

    groups = trial.clients.groups
    assert groups is not None
    click.echo(
        f"\nfederations {trial.labels}, true groups {groups.tolist()}, in {trial.seconds:.0f} s\n"
        f"largest distance to simulate(): novelty {trial.novelty_apart:.1e}, "
        f"loss {trial.loss_apart:.1e}"
    )
    click.echo(weights(trial).to_string(index=False))
    if trial.comparable:
        click.echo(f"bytes on the wire compared with the ledger: {trial.over_ledger:+.1%}")
    return trial.problems()
