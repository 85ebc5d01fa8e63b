import numpy as np
import pytest
import torch
from torch import nn

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError
from rndcfl.engine.local import LocalTraining, copy_state
from rndcfl.engine.networks import device
from rndcfl.methods import METHODS, Run
from rndcfl.methods.run import ClientTensors
from rndcfl.simulation import simulate


def new_run(clients, network=None, labels=None, models=None):
    """The state of a simulation that starts with a bare linear model, or with what is given."""
    network = network or nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    network = network.to(device())
    data = [
        ClientTensors(*(torch.from_numpy(a).to(device()) for a in (c.x, c.y, c.x_test, c.y_test)))
        for c in clients
    ]
    return Run(
        clients=clients,
        data=data,
        seed=0,
        training=LocalTraining(),
        network=network,
        labels=np.zeros(len(clients), dtype=np.int64) if labels is None else np.array(labels),
        models=models or {0: copy_state(network)},
        participants=np.ones(len(clients), dtype=bool),
        new_model=lambda *key: copy_state(network),
        model_cost=10,
    )


@pytest.fixture
def run(stripe_clients):
    return new_run(stripe_clients(4))


# --- moving between federations -----------------------------------------------------------------


@pytest.mark.parametrize(
    "labels, models",
    [
        ([0, 0, 0, 1], {0: "a", 1: "b"}),  # nothing moves
        ([1, 1, 1, 0], {1: "a", 0: "b"}),  # only the names do
        ([0, 1, 2, 3], {0: "a", 1: "a", 2: "a", 3: "b"}),  # everybody alone
        ([0, 0, 0, 0], {0: "a"}),  # three had model a, one model b
        ([2, 5, 5, 5], {2: "a", 5: "a"}),  # two of three had model a
    ],
)
def test_a_federation_takes_the_model_most_of_its_members_had(stripe_clients, labels, models):
    run = new_run(stripe_clients(4), labels=[0, 0, 0, 1], models={0: "a", 1: "b"})
    assert METHODS["global"]().models(np.array(labels), run) == models


def test_participants_send_and_receive_a_model_unless_they_are_alone():
    assert METHODS["global"]().traffic(2, 100) == (100, 100)
    assert METHODS["local"]().traffic(1, 100) == (0, 0)


# --- who averages with whom ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, labels", [("local", [0, 1, 2, 3]), ("global", [0, 0, 0, 0]), ("oracle", [0, 1, 0, 1])]
)
def test_assignments(run, name, labels):
    method = METHODS[name]()
    method.check(run.clients)
    for round in (0, 1, 5):
        assert method.assign(round, run).tolist() == labels
    assert run.ledger.entries == []


def test_the_oracle_needs_known_groups(stripe_clients):
    with pytest.raises(InputError, match="'oracle' needs clients whose true groups are known"):
        METHODS["oracle"]().check(stripe_clients(2, known=False))


def test_the_oracle_numbers_groups_in_order_of_appearance(run, stripe_clients):
    run.clients = stripe_clients(4)[1:]
    assert METHODS["oracle"]().assign(0, run).tolist() == [0, 1, 0]


# --- rnd ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "every, due", [(None, [0]), (1, [0, 1, 2, 3, 4]), (2, [0, 2, 4]), (3, [0, 3])]
)
def test_rnd_discovers_at_round_0_and_every_tau(run, small_rnd, every, due):
    method = METHODS["rnd"](rnd=small_rnd, recluster_every=every)
    for round in range(5):
        run.labels = method.assign(round, run)
    table = run.ledger.table
    assert sorted(set(table["round"])) == due
    assert set(table["phase"]) == {"discovery/predictors", "discovery/novelty"}
    assert len(table) == 2 * 4 * len(due)


def test_rnd_keeps_its_federations_in_between(run, small_rnd):
    method = METHODS["rnd"](rnd=small_rnd, recluster_every=2)
    run.labels = np.array([0, 1, 1, 2])
    assert method.assign(1, run).tolist() == [0, 1, 1, 2]


def test_rnd_takes_the_parameters_of_discover(run, small_rnd):
    budget = dict(rnd=small_rnd, train_share=1.0)
    apart = METHODS["rnd"]("paper", float("-1e9"), **budget).assign(0, run)
    together = METHODS["rnd"]("paper", 1e9, **budget).assign(0, run)
    assert (apart.tolist(), together.tolist()) == ([0, 1, 2, 3], [0, 0, 0, 0])


@pytest.mark.parametrize("every", [0, -1, 1.5])
def test_rnd_refuses_a_period_below_one_round(every):
    with pytest.raises(InputError, match="recluster_every must be a whole number of at least 1"):
        METHODS["rnd"](recluster_every=every)


@pytest.mark.parametrize(
    "params, message",
    [
        (dict(criterion="paper"), "'paper' needs tolerance"),
        (dict(tolerance=0.5), "'calibrated' takes no tolerance"),
        (dict(step=3), "'step'; did you mean 'steps'"),
    ],
)
def test_rnd_checks_the_parameters_of_discover_before_any_work(run, params, message):
    with pytest.raises(InputError, match=message):
        METHODS["rnd"](**params).check(run.clients)


# --- ifca ---------------------------------------------------------------------------------------


class Favourite(nn.Linear):
    """Whatever the sample, the logits are the biases."""

    def __init__(self):
        super().__init__(2, 2)

    def forward(self, x):
        return 0 * x + self.bias


def favourite(label):
    return {"weight": torch.zeros(2, 2), "bias": torch.tensor([1.0 - label, float(label)])}


@pytest.fixture
def two_tastes():
    """Clients 0 and 2 know class 1 only, client 1 class 0; models 0 and 1 favour 0 and 1."""
    x = np.zeros((5, 2))
    arrays = [(x, np.full(5, y), x, np.full(5, y)) for y in (1, 0, 1)]
    models = {c: {k: v.to(device()) for k, v in favourite(c).items()} for c in (0, 1)}
    return new_run(Clients.from_arrays(arrays), Favourite(), models=models)


def test_ifca_clients_take_the_model_of_lowest_training_loss(two_tastes):
    assert METHODS["ifca"](2).assign(1, two_tastes).tolist() == [1, 0, 1]


def test_ifca_placing_those_who_do_not_take_part_costs_nothing(two_tastes):
    two_tastes.participants[:] = [True, False, False]
    assert METHODS["ifca"](2).assign(1, two_tastes).tolist() == [1, 0, 1]
    (entry,) = two_tastes.ledger.entries
    assert (entry["phase"], entry["round"], entry["client"]) == ("discovery/assignment", 1, 0)
    assert (entry["bytes_up"], entry["bytes_down"]) == (8, 2 * 4 * (4 + 2))
    assert entry["multiply_adds"] == 2 * 5 * 10  # two models on five samples


def test_ifca_keeps_a_model_that_nobody_takes(two_tastes):
    two_tastes.models[2] = {"weight": torch.zeros(2, 2), "bias": torch.zeros(2)}  # undecided
    method = METHODS["ifca"](3)
    labels = method.assign(1, two_tastes)
    assert set(labels.tolist()) == {0, 1}
    assert sorted(method.models(labels, two_tastes)) == [0, 1, 2]


def test_ifca_models_start_from_weights_of_their_own(stripe_clients):
    clients = stripe_clients(4)
    starts = [
        simulate(clients, "ifca", 1, lr=0, seed=seed, n_clusters=k).models
        for seed, k in ((0, 2), (0, 3), (1, 2))
    ]
    few, many, other = ([model["1.weight"] for model in models.values()] for models in starts)
    assert torch.equal(few[0], many[0]) and torch.equal(few[1], many[1])
    for a, b in ((few[0], few[1]), (many[1], many[2]), (few[0], other[0])):
        assert not torch.isclose(a, b).any(1).all()


class OwnWeights(nn.Module):
    """A model of one's own, without the ``reset_parameters`` of PyTorch's layers."""

    def __init__(self, shape, n_classes):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(int(np.prod(shape)), n_classes))

    def forward(self, x):
        return x.flatten(1) @ self.weight


def test_ifca_models_of_your_own_start_from_different_weights_too(stripe_clients):
    history = simulate(stripe_clients(2), "ifca", 1, OwnWeights, lr=0, n_clusters=2)
    assert not torch.equal(history.models[0]["weight"], history.models[1]["weight"])
