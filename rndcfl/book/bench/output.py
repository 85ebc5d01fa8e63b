"""What every benchmark does with its result: ``--json FILE``, never over an existing one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rndcfl.common.errors import InputError
from rndcfl.common.files import write_whole


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--json FILE`` of every benchmark."""
    return click.option(
        "--json",
        "file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Also write what was measured to this file.",
    )(command)


def check_new(file: Path | None) -> None:
    """Raise if there is something already where the result would be written."""
    if file is not None and file.exists():
        raise InputError(f"{file} exists; name another file or remove it")


def write(file: Path | None, result: Any) -> None:
    """Write a result as JSON and print where."""
    if file is not None:
        write_whole(file, json.dumps(result, indent=1) + "\n")
        click.echo(f"written to {file}")
