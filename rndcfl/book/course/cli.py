"""``rndcfl course``: make the copies of a course, and check a student's."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from tqdm import tqdm

PROFILES = ("smoke", "demo")


@click.group()
def course() -> None:
    """The notebooks as a course: copies for students and for teachers, and their checks."""


@course.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--repository",
    metavar="OWNER/NAME",
    help="On GitHub, where the copies will lie: adds links that open them on Binder and Colab.",
)
def build(out: Path, repository: str | None) -> None:
    """Write OUT/student (without solutions) and OUT/solutions."""
    from rndcfl.book.course import copies

    for folder in copies.build(out, repository):
        click.echo(f"{len(list(folder.glob('*.ipynb')))} notebooks in {folder}")


@course.command()
@click.argument("notebooks", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    default="smoke",
    show_default=True,
    help="Scale of the rest of the notebook; exercises have sizes of their own.",
)
def check(notebooks: tuple[Path, ...], profile: str) -> None:
    """Run copies of notebooks and report their checks. Executes the code in them."""
    from rndcfl.book.course import checks

    for path in notebooks:
        checks.read(path)
    wrong = 0
    for path in tqdm(notebooks, unit="notebook", disable=None):
        answers = checks.check(path, profile)
        right = sum(answer.right for answer in answers)
        wrong += len(answers) - right
        tqdm.write(f"{path}: {right} of {len(answers)} right", file=sys.stdout)
        for answer in answers:
            mark = "right" if answer.right else "WRONG"
            tqdm.write(f"  {answer.exercise:<7} {mark}  {answer.message}", file=sys.stdout)
    if wrong:
        sys.exit(1)
