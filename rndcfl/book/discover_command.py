"""``rndcfl discover``: share a dataset out to clients, find their federations, print them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rndcfl.book.bench.output import check_new, write

if TYPE_CHECKING:
    import pandas as pd

    from rndcfl.clients import Clients
    from rndcfl.federations import Discovery


@click.command()
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
    by: str,
    tolerance: float | None,
    file: Path | None,
) -> None:
    """Share a dataset out to clients and discover their federations."""
    from rndcfl.discovery import Discoverer
    from rndcfl.settings.partition import make_clients

    check_new(file)
    clients = make_clients(dataset, setting, n_clients, n_groups, seed, samples)
    found = Discoverer.of(criterion, tolerance, by=by).discover(clients, seed)
    score = _score(clients, found)
    click.echo(_table(clients, found).to_string(index=False, na_rep="-", float_format="%.1f"))
    click.echo("\n".join(_summary(len(clients), found, score)))
    asked = dict(dataset=dataset, setting=setting, samples=samples, seed=seed, by=by)
    write(file, {**asked, **_result(clients, found, tolerance, score)})


def _score(clients: Clients, found: Discovery) -> dict[str, Any]:
    """How well the federations agree with the true groups."""
    from rndcfl.common.metrics import ari, exact, nmi

    assert clients.groups is not None
    pair = clients.groups, found.labels
    return dict(exact=exact(*pair), ari=ari(*pair), nmi=nmi(*pair))


def _table(clients: Clients, found: Discovery) -> pd.DataFrame:
    """One row per client: its samples, its true group, and where and how well it fits."""
    import pandas as pd

    own = {
        "client": range(len(clients)),
        "samples": list(map(len, clients)),
        "true group": clients.groups,
    }
    return pd.DataFrame({**own, **found.explain().drop(columns=["client", "scored"])})


def _summary(n: int, found: Discovery, score: dict[str, Any]) -> list[str]:
    """What was found among `n` clients, and at what cost, in a few lines."""
    from rndcfl.federations import ProfileDiscovery

    costs, lines = found.ledger.total(), []
    if isinstance(found, ProfileDiscovery):
        lines.append(
            f"differences below {found.detectable.max():.2f} standard deviations would go unseen; "
            f"{found.samples_needed(1.0)} samples per client show 1.0, "
            f"{found.samples_needed(0.5)} show 0.5"
        )
    return [
        *lines,
        f"{found.n_federations} federations by criterion {found.criterion}; "
        f"ARI {score['ari']:.3f} ({'exact' if score['exact'] else 'not exact'})",
        f"{costs.seconds:.1f} s; per client {costs.bytes_up / n / 1e3:.0f} kB up, "
        f"{costs.bytes_down / n / 1e3:.0f} kB down",
    ]


def _result(
    clients: Clients, found: Discovery, tolerance: float | None, score: dict[str, Any]
) -> dict[str, Any]:
    """What ``--json`` writes beside what was asked for."""
    from rndcfl.federations import ProfileDiscovery

    assert clients.groups is not None
    result = dict(
        criterion=found.criterion,
        tolerance=tolerance,
        labels=found.labels.tolist(),
        groups=clients.groups.tolist(),
        n_federations=found.n_federations,
        **score,
        novelty=None if found.novelty is None else found.novelty.tolist(),
        excess=None if found.excess is None else found.excess.tolist(),
        costs=found.ledger.total().to_dict(),
    )
    if isinstance(found, ProfileDiscovery):
        result |= dict(
            distance=found.distance.tolist(),
            detectable=found.detectable.tolist(),
            p_values=found.p_values.tolist(),
        )
    return result
