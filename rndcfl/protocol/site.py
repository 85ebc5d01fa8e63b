"""What a site does: answer five questions about its own data (Algorithm 1, and FedAvg's part).

Every answer is computed by the functions that :func:`rndcfl.simulate` uses, from the same draws, so
that a run among sites gives the federations and the models of a simulation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from rndcfl.clients import Client, Clients, hold_out
from rndcfl.common.errors import InputError, WireError
from rndcfl.common.ledger import Ledger
from rndcfl.common.seeding import numpy_rng
from rndcfl.data.tables import Scale, as_table, sums
from rndcfl.engine.inputs import readable
from rndcfl.engine.local import State, copy_state, evaluate, train_locally
from rndcfl.engine.networks import build_model, device
from rndcfl.given import check_parts, together
from rndcfl.given.arrays import as_array
from rndcfl.novelty import fit, report
from rndcfl.predictors import RND, embed, frozen_target, squared_errors, used_samples
from rndcfl.protocol import loaders
from rndcfl.protocol.config import Config
from rndcfl.protocol.letters import Letter, array_of, config_of, rnd_of, state_of
from rndcfl.protocol.packing import architecture, unpack


@dataclass
class Site:
    """One site.

    Attributes
    ----------
    node : its own configuration: number and data, see :mod:`rndcfl.protocol.loaders`.
    run : the run's, which everyone has.
    kept : the model that it was sent last, and its version; nothing else is remembered.
    """

    node: Mapping[str, Any]
    run: Mapping[str, Any] = field(default_factory=dict)
    kept: Letter = field(default_factory=Letter)

    def hello(self, asked: Letter) -> Letter:
        """Its number and the kind of its data; of a table also the sums that give a scale."""
        number, arrays, kind = self._arrays()
        table = kind == "table"
        own = _client(number, _filled(arrays, None) if table else arrays, kind)
        about = dict(
            number=number,
            samples=len(own[0]),
            n_classes=own.n_classes,
            shape=list(own.input_shape),
            kind=own.kind,
            labels=own[0].y is not None,
            columns=_fingerprint(arrays[0]),
        )
        return Letter(
            about, {"sums": sums(as_table(f"client {number}", arrays[0]))} if table else {}
        )

    def predictor(self, asked: Letter) -> Letter:
        """A predictor trained on the site's data (Algorithm 1, line 1)."""
        number, client, rnd, seed = self._of_discovery(asked)
        trained, [(scored, _)] = fit({number: client}, rnd, seed, Ledger())
        name = architecture(tuple(scored.shape[1:]), rnd)
        about = dict(architecture=name, scored=len(scored))
        return Letter(about, {"predictor": trained.packed()})

    def row(self, asked: Letter) -> Letter:
        """The report of its held-out samples, scored with the predictors of all sites (Eq. 8)."""
        number, client, rnd, seed = self._of_discovery(asked)
        peers = np.array(config_of(asked)["peers"], dtype=np.int64)
        shape = readable(client.x[:1], seed, rnd.max_side).shape[1:]
        bank = unpack(array_of(asked, "bank"), shape, rnd)
        used = used_samples(client, number, rnd, seed)
        x = used[len(used) - rnd.n_scored(len(used)) :]  # what has not trained its predictor
        wanted = embed(frozen_target(shape, rnd, seed), x)
        made = report(squared_errors(bank, x, wanted), peers)
        return Letter(dict(scored=made.samples), {"row": made.pack()})

    def train(self, asked: Letter) -> Letter:
        """The federation's model after one round of local training."""
        number, client = self._client(asked)
        network, start, config = self._model(asked, client)
        rng = numpy_rng(config.seed, "local training", int(config_of(asked)["round"]), number)
        x, y = _tensors(client.x, client.y)
        trained, seen = train_locally(network, start, x, y, config.training, rng)
        return Letter({}, numbers=dict(samples=len(x), seen=seen)).with_model(trained)

    def evaluate(self, asked: Letter) -> Letter:
        """Loss and accuracy of the federation's model on the site's held-out samples."""
        _, client = self._client(asked)
        network, state, _ = self._model(asked, client)
        loss, accuracy = evaluate(network, state, *_tensors(client.x_test, client.y_test))
        assert client.x_test is not None
        return Letter(numbers=dict(loss=loss, accuracy=accuracy, samples=len(client.x_test)))

    def _of_discovery(self, asked: Letter) -> tuple[int, Client, RND, int]:
        """Number and data of the site, networks and seed of the discovery."""
        config = config_of(asked)
        number, client = self._client(asked)
        return number, client, rnd_of(config["rnd"]), int(config["seed"])

    def _arrays(self) -> tuple[int, list[Any], str | None]:
        """Its number, its data, and their kind where it is declared or they are a table."""
        number = loaders.number_of(self.node)
        arrays = list(loaders.load(number, self.node, self.run))
        kind = self.node.get("kind", self.run.get("kind") if "partition-id" in self.node else None)
        if kind is None and len(np.shape(arrays[0])) == 2:
            kind = "table"
        return number, arrays, kind

    def _client(self, asked: Letter) -> tuple[int, Client]:
        """The site's number and data, tables in the agreed scale, some samples held out."""
        seed = int(config_of(asked)["run_seed"])
        number, arrays, kind = self._arrays()
        if kind == "table":
            mean, sd, marked = array_of(asked, "scale")
            arrays = _filled(arrays, Scale(mean, sd, np.flatnonzero(marked)))
        client = _client(number, arrays, kind)[0]
        return number, client if client.y is None else hold_out(client, number, seed=seed)

    def _model(self, asked: Letter, client: Client) -> tuple[torch.nn.Module, State, Config]:
        """The federation's model: as sent, as kept, or as drawn from the seed."""
        given = config_of(asked)
        config, version = Config.from_table(given["settings"]), given["version"]
        shape, n_classes = client.x.shape[1:], int(given["n_classes"])
        network = build_model(config.model, shape, n_classes, config.seed).to(device())
        initial = copy_state(network)
        if version == "":
            return network, initial, config
        if not given["kept"]:
            self.kept = Letter(dict(version=version)).with_model(state_of(asked, like=initial))
        elif self.kept.config is None or config_of(self.kept)["version"] != version:
            raise WireError("the model that should have been kept is not there")
        return network, state_of(self.kept, like=initial), config


def _client(number: int, arrays: list[Any], kind: str | None) -> Clients:
    """The site alone. Its labels are numbers from 0 that mean the same at all sites."""
    check_parts(f"client {number}", arrays)
    classes = [_largest(number, y) for y in arrays[1::2] if y is not None]
    if kind == "text":  # its labels are numbers of characters already
        classes = []
    known = range(max(classes) + 1) if classes else None
    return Clients.of(together([tuple(arrays)], kind=kind, classes=known))


def _largest(number: int, y: Any) -> int:
    labels = as_array(f"client {number}: y", y)
    if labels.dtype.kind not in "ui" or labels.size == 0 or labels.min() < 0:
        raise InputError(f"client {number}: labels must be whole numbers from 0, as at all sites")
    return int(labels.max())


def _fingerprint(x: Any) -> str:
    """Of a table's column names in their order, empty where they have none."""
    names = "\n".join(map(str, getattr(x, "columns", ())))
    return hashlib.sha256(names.encode()).hexdigest()[:16] if names else ""


def _filled(arrays: list[Any], scale: Scale | None) -> list[Any]:
    """Its tables without gaps, by `scale` or as they are."""
    filled = list(arrays)
    for k in range(0, len(filled), 2):
        table = as_table("this site", filled[k])
        filled[k] = np.nan_to_num(table) if scale is None else scale.fill(table)
    return filled


def _tensors(*arrays: np.ndarray | None) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(np.array(a)).to(device()) for a in arrays)
