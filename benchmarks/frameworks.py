"""The same FedAvg job in rndcfl, fluke and Flower's simulation; `run.sh` calls this.

    python frameworks.py job FOLDER                # needs rndcfl: writes FOLDER/job.npz
    python frameworks.py ours|fluke|flower FOLDER  # each in its own environment: adds a result
    python frameworks.py table FOLDER              # prints all results

The job: 200 clients of 50 images, all taking part in each of 5 rounds; one epoch of plain SGD in
batches of 32 at learning rate 0.1; a perceptron with 200 hidden units, the same initial weights for
all; averages weighted by samples. Data and weights are read before the clock starts. Seconds of a
round are the time between the ends of two rounds, so that fluke and Flower do not pay for their
start; of rndcfl they are a fifth of the whole call.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

CLIENTS, SAMPLES, ROUNDS, BATCH, LR = 200, 50, 5, 32, 0.1
NAMES = ("0.weight", "0.bias", "2.weight", "2.bias")  # of the perceptron


def write_job(folder: Path) -> None:
    """Share out the bundled images and draw the initial weights."""
    from rndcfl.book.bench.rounds import turned_clients
    from rndcfl.data.catalogue import load_dataset
    from rndcfl.engine.networks import build_model

    data = load_dataset("fashion-mnist-mini")
    clients = turned_clients(data, CLIENTS, SAMPLES)
    weights = build_model("mlp", clients.input_shape, clients.n_classes, 0).state_dict().values()
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(
        folder / "job.npz",
        x=np.stack([c.x.reshape(SAMPLES, -1) for c in clients]),
        y=np.stack([c.y for c in clients]),
        x_test=np.concatenate([c.x_test.reshape(len(c.x_test), -1) for c in clients]),
        y_test=np.concatenate([c.y_test for c in clients]),
        **{name: w.numpy() for name, w in zip(NAMES, weights, strict=True)},
    )


def read_job(folder: Path) -> dict[str, np.ndarray]:
    """x [clients, samples, 784], y, x_test [n, 784], y_test, and the initial weights by name."""
    with np.load(folder / "job.npz") as job:
        return {name: job[name] for name in job.files}


def perceptron(job: dict[str, np.ndarray]) -> Any:
    """The model with its initial weights."""
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 10))
    model.load_state_dict({name: torch.from_numpy(job[name]) for name in NAMES})
    return model


def accuracy(weights: dict[str, Any], job: dict[str, np.ndarray]) -> float:
    """Of the final model, on everybody's test images."""
    w1, b1, w2, b2 = (np.asarray(weights[name]) for name in NAMES)
    hidden = np.maximum(job["x_test"] @ w1.T + b1, 0)
    return float(((hidden @ w2.T + b2).argmax(1) == job["y_test"]).mean())


# --- each framework: the times at which rounds ended, and the final weights ---------------------


def ours(job: dict[str, np.ndarray], folder: Path) -> tuple[list[float], dict[str, Any]]:
    """rndcfl: ``simulate``, which also tests every client in every round."""
    from rndcfl import Clients, simulate

    tests = np.split(np.arange(len(job["y_test"])), CLIENTS)
    clients = Clients.from_arrays(
        [
            (x, y, job["x_test"][t], job["y_test"][t])
            for x, y, t in zip(job["x"], job["y"], tests, strict=True)
        ]
    )

    def all_rounds(clients: Clients, rounds: int) -> Any:
        return simulate(
            clients,
            "global",
            rounds,
            lambda *_: perceptron(job),
            lr=LR,
            batch_size=BATCH,
            progress=False,
        )

    all_rounds(clients[:2], 1)  # PyTorch imports some of itself only when asked
    start = time.perf_counter()
    history = all_rounds(clients, ROUNDS)
    ends = np.linspace(start, time.perf_counter(), ROUNDS + 1)[1:]  # setting up is part of them
    return ends.tolist(), history.models[0]


def fluke(job: dict[str, np.ndarray], folder: Path) -> tuple[list[float], dict[str, Any]]:
    """fluke: its FedAVG, objects kept in memory, no evaluation."""
    import torch

    # A torchvision built for another torch lacks operators that nothing here needs.
    operators = torch.library.Library("torchvision", "FRAGMENT")  # lives as long as its name
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from fluke import FlukeENV
    from fluke.algorithms.fedavg import FedAVG
    from fluke.client import Client
    from fluke.config import OptimizerConfigurator
    from fluke.data import FastDataLoader
    from fluke.server import Server
    from fluke.utils import ServerObserver

    environment = FlukeENV()
    environment.set_seed(0)
    environment.set_device("cpu")
    environment.set_inmemory(True)
    environment.set_eval_cfg(pre_fit=False, post_fit=False, server=False, locals=False)
    optimizer = OptimizerConfigurator({"name": "SGD", "lr": LR})
    clients = []
    for i, (x, y) in enumerate(zip(job["x"], job["y"], strict=True)):
        loader = FastDataLoader(
            torch.from_numpy(x), torch.from_numpy(y), num_labels=10, batch_size=BATCH, shuffle=True
        )
        loss = torch.nn.CrossEntropyLoss()
        clients.append(Client(i, loader, None, optimizer, loss, local_epochs=1, persistency=False))
    server = Server(perceptron(job), None, clients, weighted=True)
    ends = []

    class Clock(ServerObserver):
        def end_round(self, round: int) -> None:
            ends.append(time.perf_counter())

    federation = FedAVG(CLIENTS, None, {}, clients=clients, server=server)
    for part in (federation, server):
        part.attach(Clock())
    federation.run(ROUNDS, 1.0)
    return sorted(set(ends)), server.model.state_dict()


def flower(job: dict[str, np.ndarray], folder: Path) -> tuple[list[float], dict[str, Any]]:
    """Flower's simulation on ray: one process per core, its stock FedAvg and waiting times."""
    from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
    from flwr.clientapp import ClientApp
    from flwr.serverapp import Grid, ServerApp
    from flwr.serverapp.strategy import FedAvg
    from flwr.simulation import run_simulation

    server, client = ServerApp(), ClientApp()
    ends, final, here = [], {}, folder.resolve()

    @client.train()
    def train(message: Message, context: Context) -> Message:
        import torch

        seen = train_in_process.setdefault("job", None) or read_job(here)
        train_in_process["job"] = seen
        i = int(context.node_config["partition-id"])
        model = perceptron(seen)
        model.load_state_dict(message.content["arrays"].to_torch_state_dict())
        x, y = torch.from_numpy(seen["x"][i]), torch.from_numpy(seen["y"][i])
        optimizer = torch.optim.SGD(model.parameters(), lr=LR)
        for batch in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
        reply = RecordDict(
            {
                "arrays": ArrayRecord(model.state_dict()),
                "metrics": MetricRecord({"num-examples": len(x)}),
            }
        )
        return Message(content=reply, reply_to=message)

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        strategy = FedAvg(1.0, 0.0, CLIENTS, 0, CLIENTS)

        def note(round: int, arrays: ArrayRecord) -> None:
            if round:
                ends.append(time.perf_counter())

        start = ArrayRecord(perceptron(job).state_dict())
        result = strategy.start(grid, start, ROUNDS, evaluate_fn=note)
        final.update(result.arrays.to_torch_state_dict())

    run_simulation(server, client, CLIENTS, backend_config={"client_resources": {"num_cpus": 1.0}})
    return ends, final


train_in_process: dict[str, Any] = {}  # the job, read once by each of Flower's processes


def table(folder: Path) -> None:
    """Print the medians over all runs, and how many times rndcfl is faster."""
    runs = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    names = [n for n in ("ours", "fluke", "flower") if any(run["name"] == n for run in runs)]
    of = {n: [run for run in runs if run["name"] == n] for n in names}
    median = {n: statistics.median(s for r in of[n] for s in r["seconds"]) for n in names}
    print(f"{'':8}{'s per round':>12}{'least':>8}{'most':>8}{'over ours':>11}{'accuracy':>10}")
    for n in names:
        every = [s for run in of[n] for s in run["seconds"]]
        print(
            f"{n:8}{median[n]:12.3f}{min(every):8.3f}{max(every):8.3f}"
            f"{median[n] / median['ours']:11.1f}{of[n][-1]['accuracy']:10.3f}"
        )
    print(f"{CLIENTS} clients, {SAMPLES} images each; {len(of['ours'])} runs of {ROUNDS} rounds")


def run(name: str, folder: Path) -> None:
    """Run the job once and add its result to FOLDER/results.jsonl."""
    job = read_job(folder)
    start = time.perf_counter()
    ends, weights = {"ours": ours, "fluke": fluke, "flower": flower}[name](job, folder)
    assert len(ends) == ROUNDS, f"{name} ended {len(ends)} rounds of {ROUNDS}"
    result = dict(
        name=name,
        seconds=np.diff(ends).tolist(),
        whole_run=time.perf_counter() - start,
        accuracy=accuracy(weights, job),
    )
    with open(folder / "results.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("job", "ours", "fluke", "flower", "table"):
        sys.exit(__doc__)
    what, where = sys.argv[1], Path(sys.argv[2])
    if what == "job":
        write_job(where)
    elif what == "table":
        table(where)
    else:
        run(what, where)
