"""The command line of the benchmarks: ``rndcfl bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rndcfl.book.bench.output import check_new, json_option, write
from rndcfl.book.bench.rounds import rounds
from rndcfl.common.errors import InputError


@click.group()
def bench() -> None:
    """Measure speed and scale side by side, on this machine."""


@bench.command()
@click.option("--dataset", metavar="D", help="[default: cifar10 if it is there, else the bundled]")
@click.option("--clients", "n_clients", type=int, default=12, show_default=True)
@click.option("--samples", type=int, help="Images per client [default: all there are].")
@click.option(
    "--naive-samples",
    type=int,
    default=640,
    show_default=True,
    help="Images per client that the authors' order is timed on.",
)
@click.option("--epochs", type=int, default=10, show_default=True, help="Of the authors' budget.")
@click.option("--repeats", type=int, default=2, show_default=True, help="Turns that all take.")
@click.option("--seeds", type=int, default=5, show_default=True, help="Of the default's recovery.")
@click.option(
    "--images",
    type=int,
    default=100,
    show_default=True,
    help="Images per client that IFCA is timed on (ImageNet stem).",
)
@click.option(
    "--cifar-images",
    type=int,
    default=8,
    show_default=True,
    help="Images per client that IFCA is timed on (CIFAR stem).",
)
@click.option("--threads", type=click.IntRange(1), help="Of PyTorch [default: its own choice].")
@json_option
def discovery(threads: int | None, file: Path | None, **sizes: Any) -> None:
    """Time the authors' evaluation order, ours, the default and IFCA in turns.

    On the paper's setting: pattern skew, four groups. About three minutes on two idle cores.
    """
    import torch

    from rndcfl.book.bench.discovery import measure, table
    from rndcfl.book.bench.works import Sizes
    from rndcfl.predictors import RND

    check_new(file)
    chosen = Sizes(**sizes)
    name, samples = chosen.found()
    if threads is not None:
        torch.set_num_threads(threads)
    click.echo(
        f"{chosen.n_clients} clients of {samples} images of {name} in 4 groups; "
        f"{chosen.repeats} turns, {torch.get_num_threads()} threads. The default looks at no more "
        f"than {RND().max_samples} of them. Timed on fewer images, and scaled: naive and same work "
        f"on {min(samples, chosen.naive_samples)}, IFCA on {chosen.images} (ImageNet stem) and "
        f"{chosen.cifar_images} (CIFAR stem)"
    )
    result = measure(chosen)
    click.echo(table(result).to_string(index=False, float_format="%.3g"))
    spent = ", ".join(f"{part} {s:.2f}" for part, s in result["parts_of_default"].items())
    click.echo(
        f"default, seconds: {spent}; "
        f"float32 matrix product: {result['matrix_product_gflops']:.0f} GFLOP/s\n"
        f"novelty of naive and same work equal within {result['largest_relative_difference']:.0e}; "
        f"default exact in {result['exact_recovery']:.0%} of {chosen.seeds} seeds\n"
        "ratios of seconds (of the processor's seconds):"
    )
    for key, ratio in result["cpu"].items():
        click.echo(f"  {key:<30} {result[key]:8.1f}  ({ratio:.1f})")
    write(file, result)


@bench.command()
@click.option("--dataset", default="fashion-mnist-mini", show_default=True, metavar="D")
@click.option("--clients", "counts", default="10,100,1000,10000", show_default=True, metavar="N,N")
@click.option(
    "--all-to-all",
    "most",
    type=int,
    default=300,
    show_default=True,
    help="Up to this many clients, discover all with all as well.",
)
@click.option("--samples", type=int, default=200, show_default=True, help="Per client.")
@click.option("--landmarks", type=int, default=32, show_default=True)
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True)
@click.option("--threads", type=click.IntRange(1), help="Of PyTorch [default: its own choice].")
@json_option
def scale(
    dataset: str,
    counts: str,
    most: int,
    samples: int,
    landmarks: int,
    seeds: int,
    threads: int | None,
    file: Path | None,
) -> None:
    """Time discovery from ten clients to ten thousand, each in a process of its own.

    Clients draw from one dataset laid down in eight ways (four turns, mirrored or not).
    """
    import pandas as pd
    import torch
    from tqdm import tqdm

    from rndcfl.book.bench.scale import MODES, Case, measure

    check_new(file)
    try:
        numbers = [int(n) for n in counts.split(",")]
    except ValueError:
        raise InputError(f"--clients wants numbers such as 10,100,1000, got {counts!r}") from None
    cases = [
        Case(mode, n, samples, landmarks, seed, dataset, threads or torch.get_num_threads())
        for n in numbers
        for mode in MODES
        if mode == "landmarks" or n <= most
        for seed in range(seeds)
    ]
    for case in cases:
        case.check()
    rows = [measure(case) for case in tqdm(cases, unit="run")]
    columns = [
        "mode",
        "clients",
        "seed",
        "peers_scored",
        "seconds",
        "peak_mb",
        "bytes_per_client",
        "federations",
        "ari",
        "exact",
    ]
    shown = pd.DataFrame(rows)[columns]
    click.echo(shown.to_string(index=False, float_format="%.3g"))
    write(file, rows)


bench.add_command(rounds)
