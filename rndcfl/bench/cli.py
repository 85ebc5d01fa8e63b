"""The commands ``rndcfl bench ...``."""

from __future__ import annotations

import click

from rndcfl.bench.rounds import rounds


@click.group()
def bench() -> None:
    """Speed and scale, measured side by side on this machine."""


bench.add_command(rounds)
