"""What a site does: answer five questions about its own data (Algorithm 1, and FedAvg's part).

Every answer is computed by the functions that :func:`rndcfl.simulate` uses, from the same draws, so
that a run among sites gives the federations and the models of a simulation. A question may come to
a fresh process: nothing is remembered between them but the last model, by Flower.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp

from rndcfl.clients import Client, Clients, hold_out
from rndcfl.common.ledger import Ledger
from rndcfl.common.seeding import numpy_rng
from rndcfl.data.tables import Scale, as_table, sums
from rndcfl.engine.local import State, copy_state, evaluate, train_locally
from rndcfl.engine.networks import build_model, device
from rndcfl.flower import loaders
from rndcfl.flower.records import (
    array_of,
    config_of,
    metrics,
    pack_row,
    record,
    rnd_of,
    state_of,
    with_state,
)
from rndcfl.novelty import fit, readable, report_row, scored_samples
from rndcfl.predictors import RND, frozen_target, squared_errors
from rndcfl.protocol.packing import WireError, architecture, pack, unpack
from rndcfl.protocol.settings import Settings

app = ClientApp()
__all__ = ["app"]


@app.query("hello")
def hello(message: Message, context: Context) -> Message:
    """Who is it, and what kind of data? Of a table also the sums that a scale is agreed on by."""
    number, arrays = _arrays(context)
    table = _is_table(arrays[0])
    own = Clients.from_arrays([tuple(_filled(arrays, None) if table else arrays)])
    answer = record(
        dict(
            number=number,
            samples=len(own[0]),
            n_classes=own.n_classes,
            shape=list(own.input_shape),
            kind=_kind(own[0]),
            labels=own[0].y is not None,
        ),
        **({"sums": sums(as_table(number, arrays[0]))} if table else {}),
    )
    return Message(answer, reply_to=message)


@app.query("predictor")
def predictor(message: Message, context: Context) -> Message:
    """Train a predictor on the site's data (Algorithm 1, line 1)."""
    number, client, rnd, seed = _of_discovery(message, context)
    # Beside a copy of itself: a convolution of one group is computed in another order than one of
    # several, and Adam makes much of the difference. So it gets the bits that it gets among others.
    pair, [(scored, _), _] = fit({number: client}, rnd, seed, Ledger(), only=[number, number])
    trained, shape = pair.only([0]), tuple(scored.shape[1:])
    answer = record(
        dict(architecture=architecture(shape, rnd), scored=len(scored)), predictor=pack(trained)
    )
    return Message(answer, reply_to=message)


@app.query("row")
def row(message: Message, context: Context) -> Message:
    """Score the site's held-out samples with everybody's predictors (Eq. 8)."""
    number, client, rnd, seed = _of_discovery(message, context)
    peers = np.array(config_of(message.content)["peers"], dtype=np.int64)
    shape = readable(client.x[:1], seed).shape[1:]
    bank = unpack(array_of(message.content, "bank"), shape, rnd)
    x, wanted = scored_samples(client, number, rnd, seed, frozen_target(shape, rnd, seed))
    parts = report_row(squared_errors(bank, x, wanted), peers)
    return Message(record(dict(scored=len(x)), row=pack_row(*parts)), reply_to=message)


@app.train("federation")
def train(message: Message, context: Context) -> Message:
    """One round of local training from the federation's model."""
    asked = config_of(message.content)
    number, client = _client(message.content, context)
    network, start, settings = _model(message.content, client, context)
    rng = numpy_rng(settings.seed, "local training", int(asked["round"]), number)
    x, y = _tensors(client.x, client.y)
    trained, seen = train_locally(network, start, x, y, settings.training, rng)
    answer = with_state(record(), trained)
    answer["metrics"] = metrics(samples=len(x), seen=seen)
    return Message(answer, reply_to=message)


@app.evaluate("federation")
def test(message: Message, context: Context) -> Message:
    """Loss and accuracy of the federation's model on the site's held-out samples."""
    _, client = _client(message.content, context)
    network, state, _ = _model(message.content, client, context)
    loss, accuracy = evaluate(network, state, *_tensors(client.x_test, client.y_test))
    assert client.x_test is not None
    answer = metrics(loss=loss, accuracy=accuracy, samples=len(client.x_test))
    return Message(RecordDict({"metrics": answer}), reply_to=message)


def _of_discovery(message: Message, context: Context) -> tuple[int, Client, RND, int]:
    """Number and data of the site, networks and seed of the discovery."""
    asked = config_of(message.content)
    number, client = _client(message.content, context)
    return number, client, rnd_of(asked["rnd"]), int(asked["seed"])


def _arrays(context: Context) -> tuple[int, list[Any]]:
    number = loaders.number_of(context.node_config)
    return number, list(loaders.load(number, context.node_config, context.run_config))


def _client(content: RecordDict, context: Context) -> tuple[int, Client]:
    """The site's number and data, tables in the agreed scale, some samples held out."""
    asked = config_of(content)
    number, arrays = _arrays(context)
    if _is_table(arrays[0]):
        mean, sd, marked = array_of(content, "scale")
        arrays = _filled(arrays, Scale(mean, sd, np.flatnonzero(marked)))
    client = Clients.from_arrays([tuple(arrays)])[0]
    held_out = client if client.y is None else hold_out(client, number, seed=int(asked["run_seed"]))
    return number, held_out


def _is_table(x: Any) -> bool:
    x = np.asarray(x)
    return x.ndim == 2 and not np.issubdtype(x.dtype, np.integer)


def _filled(arrays: list[Any], scale: Scale | None) -> list[Any]:
    """Its tables without gaps, by `scale` or as they are."""
    filled = list(arrays)
    for k in range(0, len(filled), 2):
        table = as_table(0, filled[k])
        filled[k] = np.nan_to_num(table) if scale is None else scale.fill(table)
    return filled


def _kind(client: Client) -> str:
    if client.x.dtype == np.int64:
        return "text"
    return "table" if client.x.ndim == 2 else "images"


def _model(
    content: RecordDict, client: Client, context: Context
) -> tuple[torch.nn.Module, State, Settings]:
    """The federation's model: as sent, as kept from the last message, or as drawn from the seed."""
    asked = config_of(content)
    settings, version = Settings.from_config(asked["settings"]), asked["version"]
    shape, n_classes = client.x.shape[1:], int(asked["n_classes"])
    network = build_model(settings.model, shape, n_classes, settings.seed).to(device())
    initial = copy_state(network)
    if version == "":
        return network, initial, settings
    if not asked["kept"]:
        context.state = with_state(record(dict(version=version)), state_of(content, like=initial))
    elif "config" not in context.state or config_of(context.state)["version"] != version:
        raise WireError("the model that should have been kept is not there")
    return network, state_of(context.state, like=initial), settings


def _tensors(*arrays: np.ndarray | None) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(np.array(a)).to(device()) for a in arrays)
