"""``rndcfl html``: the notebooks as pages to read without network, Python or Jupyter."""

from __future__ import annotations

from pathlib import Path

import click
from tqdm import tqdm

from rndcfl.book.run.parameters import PROFILES


@click.command("html")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    default="paper",
    show_default=True,
    help="Whose runs are shown.",
)
def html(out: Path, profile: str) -> None:
    """Write the notebooks as web pages and slides.

    They go to the folder OUT, with all figures, and load nothing from elsewhere. A copy that this
    command made before is replaced.
    """
    from rndcfl.book import paths
    from rndcfl.book.site import folder

    total = len(paths.notebooks())
    with folder.replaced(out) as new:
        from rndcfl.book.site.pages import build

        pages = list(tqdm(build(new, profile), total=total, unit="page", disable=None, delay=2))
    run = sum(page.reading.run is not None for page in pages)
    click.echo(f"{total} notebooks, {run} of them with a run of profile {profile}")
    click.echo(f"open {paths.shown(out.resolve() / 'index.html')}")
