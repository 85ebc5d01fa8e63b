"""The command line of the benchmarks: ``rndcfl bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rndcfl.book.bench.output import check_new, json_option, write
from rndcfl.common.progress import silent


class Numbers(click.ParamType):
    """Whole numbers from `least` on, with commas between them."""

    name = "N,N"

    def __init__(self, least: int) -> None:
        self.least = least

    def convert(self, value: str, param: Any, ctx: Any) -> tuple[int, ...]:
        """The numbers in order; click's error where there is none, or another than allowed."""
        try:
            numbers = tuple(int(part) for part in value.split(","))
        except ValueError:
            numbers = ()
        if not numbers or min(numbers) < self.least:
            self.fail(f"give numbers from {self.least} on, such as 12,200, got {value!r}")
        return numbers


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
@click.option(
    "--clients", "counts", type=Numbers(2), default="10,100,1000,10000", show_default=True
)
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
    counts: tuple[int, ...],
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

    from rndcfl.book.bench.scale import cases, measure

    check_new(file)
    sizes = dict(samples=samples, landmarks=landmarks, dataset=dataset)
    asked = cases(counts, most, seeds, **sizes, threads=threads or torch.get_num_threads())
    rows = [measure(case) for case in tqdm(asked, unit="run", **silent())]
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


@bench.command()
@click.option("--clients", type=Numbers(4), default="12,200,1200", show_default=True)
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Training images per client.",
)
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Rounds of a run; its setting up is part of the time.",
)
@click.option("--dataset", default="fashion-mnist-mini", show_default=True, metavar="D")
@json_option
def rounds(
    clients: tuple[int, ...],
    samples: int,
    repeats: int,
    rounds: int,
    dataset: str,
    file: Path | None,
) -> None:
    """FedAvg and IFCA rounds: clients one after the other, and together."""
    import pandas as pd

    from rndcfl.book.bench.rounds import bench_rounds
    from rndcfl.data.catalogue import load_dataset

    check_new(file)
    result = bench_rounds(clients, samples, repeats, rounds, load_dataset(dataset))
    table = pd.DataFrame(result["rows"])
    table = table[[c for c in table.columns if not str(c).endswith(("_all", "_gflops"))]]
    click.echo(table.to_string(index=False, na_rep="-", float_format="%.3g"))
    click.echo(
        f"seconds per round, medians of {repeats}; difference: of the models of loop and batched, "
        f"relative\n{result['threads']} threads; one large matrix product: "
        f"{result['gflops']:.0f} Gflop/s"
    )
    for row in result["rows"]:
        speeds = ", ".join(
            f"{way} {row[f'{way}_gflops']:.0f}"
            for way in ("batched", "loop", "authors")
            if way in row
        )
        click.echo(f"{row['method']} {row['clients']}: the loop's arithmetic at Gflop/s: {speeds}")
    write(file, result)
