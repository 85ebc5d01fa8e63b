"""``rndcfl discover``: share a dataset out to clients, find their federations, say which."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pandas as pd

from rndcfl.common.errors import InputError
from rndcfl.common.files import write_whole


@click.command()
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
    dataset: str,
    setting: str,
    n_clients: int,
    n_groups: int,
    samples: int | None,
    seed: int,
    criterion: str,
    tolerance: float | None,
    file: Path | None,
) -> None:
    """Share a dataset out to clients and discover their federations."""
    from rndcfl.common.metrics import ari, exact, nmi
    from rndcfl.discovery import check_discovery
    from rndcfl.discovery import discover as find
    from rndcfl.federations import ProfileDiscovery
    from rndcfl.settings.partition import make_clients

    if file is not None and file.exists():
        raise InputError(f"{file} exists; name another file or remove it")
    clients = make_clients(dataset, setting, n_clients, n_groups, seed, samples)
    check_discovery(clients, criterion, tolerance)
    found = find(clients, criterion, tolerance, seed)
    assert clients.groups is not None
    table = pd.DataFrame(
        {
            "client": range(len(clients)),
            "samples": list(map(len, clients)),
            "true group": clients.groups,
            **found.explain().drop(columns=["client", "scored"]),
        }
    )
    costs = found.ledger.total()
    score = dict(
        exact=exact(clients.groups, found.labels),
        ari=ari(clients.groups, found.labels),
        nmi=nmi(clients.groups, found.labels),
    )
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
            dataset=dataset,
            setting=setting,
            samples=samples,
            seed=seed,
            criterion=found.criterion,
            tolerance=tolerance,
            labels=found.labels.tolist(),
            groups=clients.groups.tolist(),
            n_federations=found.n_federations,
            **score,
            novelty=found.novelty.tolist(),
            excess=found.excess.tolist(),
            costs=costs.to_dict(),
        )
        if isinstance(found, ProfileDiscovery):
            result |= dict(
                distance=found.distance.tolist(),
                detectable=found.detectable.tolist(),
                p_values=found.p_values.tolist(),
            )
        write_whole(file, json.dumps(result, indent=1) + "\n")
        click.echo(f"written to {file}")
