from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError
from rndcfl.common.ledger import COSTS
from rndcfl.common.metrics import IGNORED, exact, top_k
from rndcfl.engine.local import evaluate
from rndcfl.engine.networks import build_model, device
from rndcfl.methods import METHODS, Method
from rndcfl.simulation import simulate

COLUMNS = {
    "method",
    "seed",
    "round",
    "client",
    "group",
    "federation",
    "loss",
    "accuracy",
    "bytes_up",
    "bytes_down",
    "seconds",
    "multiply_adds",
}
# Of the default model for images of 8x8 and four classes.
MLP_WEIGHTS = 64 * 200 + 200 * 4
MLP_BYTES = 4 * (MLP_WEIGHTS + 200 + 4)


@pytest.fixture(scope="module")
def clients(stripe_clients):
    return stripe_clients(4)


@pytest.fixture(scope="module")
def methods(small_rnd):
    """Every method with parameters that make it quick."""
    plain = {name: {} for name in METHODS}
    quick = dict(
        rnd=dict(rnd=small_rnd),
        ifca=dict(n_clusters=1),
        cfl=dict(eps1=1e9, eps2=0, min_rounds=1),
        flhc=dict(warmup_rounds=1),
    )
    return {**plain, **quick}


def linear(shape, n_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), n_classes))


def results(history):
    """All that must be the same when a run is repeated: everything but seconds."""
    return history.table.drop(columns="seconds")


def scores(history, n=None):
    return history.table.query("client < @n" if n else "client >= 0")[["loss", "accuracy"]].values


# --- the table ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_one_row_per_round_and_client(clients, methods, method):
    history = simulate(clients, method, 3, seed=7, **methods[method])
    table = history.table
    assert set(table.columns) == COLUMNS and len(table.columns) == len(COLUMNS)
    assert list(zip(table["round"], table["client"], strict=True)) == [
        (r, i) for r in range(3) for i in range(4)
    ]
    assert set(table["method"]) == {method} and set(table["seed"]) == {7}
    assert table["group"].tolist() == [0, 1, 0, 1] * 3
    assert history.labels.shape == (3, 4) and history.labels.dtype == np.int64
    assert table["federation"].tolist() == history.labels.ravel().tolist()
    assert not table.isna().any(axis=None)
    assert table["accuracy"].between(0, 1).all()


def test_groups_that_are_not_known_are_minus_one(stripe_clients):
    table = simulate(stripe_clients(2, known=False), "local", 1).table
    assert table["group"].tolist() == [-1, -1]


def test_scores_are_of_the_federations_model_on_the_clients_own_test_data(clients):
    history = simulate(clients, "oracle", 2)
    assert sorted(history.models) == [0, 1]
    for row in history.final().itertuples():
        client, model = clients[row.client], history.models[row.federation]
        x, y = (torch.from_numpy(a).to(device()) for a in (client.x_test, client.y_test))
        assert (row.loss, row.accuracy) == evaluate(history.network, model, x, y)


def test_final_is_the_last_rounds_row_with_all_costs(clients, small_rnd):
    history = simulate(clients, "rnd", 3, rnd=small_rnd)
    final, table = history.final(), history.table
    assert set(final.columns) == COLUMNS
    assert final["client"].tolist() == [0, 1, 2, 3] and set(final["round"]) == {2}
    assert final["loss"].tolist() == table["loss"].tolist()[-4:]
    for cost in COSTS:
        totals = [table.loc[table["client"] == i, cost].sum() for i in range(4)]
        np.testing.assert_allclose(final[cost], totals)
        np.testing.assert_allclose(sum(totals), history.ledger.total()[cost])


# --- training and averaging ---------------------------------------------------------------------


def test_a_round_of_single_full_batch_steps_is_one_step_on_everybodys_data(stripe_clients):
    big, small = stripe_clients(2, n=30)
    clients = Clients.from_arrays(
        [
            (big.x, big.y, big.x_test, big.y_test),
            (small.x[:10], small.y[:10], small.x_test, small.y_test),
        ]
    )
    history = simulate(clients, "global", 1, linear, seed=3, lr=0.5, local_steps=1, batch_size=None)
    model = build_model(linear, (1, 8, 8), 4, seed=3).to(device())
    x = torch.from_numpy(np.concatenate([c.x for c in clients])).to(device())
    y = torch.from_numpy(np.concatenate([c.y for c in clients])).to(device())
    nn.functional.cross_entropy(model(x), y).backward()
    for name, weights in model.named_parameters():
        expected = weights.detach() - 0.5 * weights.grad
        torch.testing.assert_close(history.models[0][name], expected, rtol=1e-4, atol=1e-6)


def test_one_group_makes_the_oracle_global(stripe_clients):
    clients = stripe_clients(3, one_group=True)
    a, b = (simulate(clients, method, 2, batch_size=8) for method in ("oracle", "global"))
    np.testing.assert_array_equal(scores(a), scores(b))
    assert all(torch.equal(a.models[0][k], b.models[0][k]) for k in a.models[0])


def test_rnd_that_finds_the_groups_trains_like_the_oracle(stripe_clients):
    clients = stripe_clients(4, n=60)
    found, known = (simulate(clients, method, 2, batch_size=8) for method in ("rnd", "oracle"))
    assert exact(clients.groups, found.labels[0])
    np.testing.assert_array_equal(scores(found), scores(known))


def test_clients_learn(stripe_clients):
    history = simulate(stripe_clients(3, one_group=True), "global", 15, lr=0.3)
    by_round = history.table.groupby("round")[["loss", "accuracy"]].mean()
    assert by_round["accuracy"].iloc[-1] > 0.9 > by_round["accuracy"].iloc[0]
    assert by_round["loss"].iloc[-1] < 0.5 * by_round["loss"].iloc[0]


def test_everybody_starts_from_the_same_model(clients):
    history = simulate(clients, "local", 1, linear, seed=2, lr=0)
    start = build_model(linear, (1, 8, 8), 4, seed=2)
    assert sorted(history.models) == [0, 1, 2, 3]
    for model in history.models.values():
        assert all(torch.equal(model[k].cpu(), v) for k, v in start.state_dict().items())


def test_a_clients_draws_are_its_own_in_every_round(stripe_clients):
    twins = Clients.from_arrays(
        [(c.x, c.y, c.x_test, c.y_test) for c in [stripe_clients(1)[0]] * 2]
    )
    history = simulate(twins, "local", 1, linear, batch_size=8)
    assert not torch.equal(history.models[0]["1.weight"], history.models[1]["1.weight"])


def test_adding_a_client_leaves_the_others_local_training(stripe_clients):
    few, many = (simulate(stripe_clients(n), "local", 2, seed=1, batch_size=8) for n in (3, 4))
    np.testing.assert_array_equal(scores(few), scores(many, n=3))


@pytest.mark.parametrize("model", ["mlp", "cnn", linear])
def test_models_by_name_or_factory(clients, model):
    history = simulate(clients, "global", 1, model)
    outputs = history.network(torch.zeros(2, 1, 8, 8, device=device()))
    assert outputs.shape == (2, 4)


def test_a_model_of_text_of_your_own():
    rng = np.random.default_rng(0)
    arrays = [(rng.integers(10, size=(20, 5)), np.arange(20) % 2) for _ in range(2)]

    def bag_of_words(shape, n_classes):
        return nn.Sequential(nn.Embedding(10, 3), nn.Flatten(), nn.Linear(3 * shape[0], n_classes))

    history = simulate(Clients.from_arrays(arrays, kind="text"), "global", 1, bag_of_words)
    assert np.isfinite(history.table["loss"]).all()
    # 16 of 20 samples in one epoch, three passes each; looking words up multiplies nothing.
    assert history.ledger.table["multiply_adds"].tolist() == [3 * 16 * 15 * 2] * 2


@pytest.fixture(scope="module")
def alphabets():
    """Texts that count up, or down, with labels for what follows: one in nine is not asked for."""
    arrays = []
    for i in range(4):
        start = np.random.default_rng(i).integers(9, size=(40, 1))
        x = (start + (-1) ** i * np.arange(11)) % 9
        y = np.where(x[:, 1:] == 4, IGNORED, x[:, 1:])
        arrays.append((x[:30, :-1], y[:30], x[30:, :-1], y[30:]))
    return Clients.from_arrays(arrays, [0, 1, 0, 1], kind="text")


@pytest.mark.parametrize("method", ["local", "global"])
def test_text_is_learned_by_the_recurrent_model(alphabets, method):
    default, named = (
        simulate(alphabets, method, 2, model, seed=1, batch_size=8) for model in (None, "gru")
    )
    assert results(default).equals(results(named))
    loss = default.table.groupby("round")["loss"].mean()
    assert loss[1] < loss[0] < np.log(9) + 0.2
    x = torch.zeros(2, 10, dtype=torch.int64, device=device())
    assert default.network(x).shape == (2, 10, alphabets.n_classes)
    recurrent = 3 * 64 * (32 + 64) + 64 * 9
    assert set(default.ledger.table["multiply_adds"]) == {3 * 30 * 10 * recurrent}


def test_who_counts_up_and_who_counts_down_learn_apart(alphabets):
    history = simulate(alphabets, "rnd", 1)
    assert history.labels.tolist() == [[0, 1, 0, 1]]


@pytest.mark.parametrize("model", ["mlp", "cnn", "resnet18", "grru", 5])
def test_text_has_its_model(alphabets, model):
    with pytest.raises(InputError, match=f"text .* needs model 'gru' or your own, got {model!r}"):
        simulate(alphabets, "local", 1, model)


def test_a_model_of_text_has_its_data(alphabets, clients):
    with pytest.raises(
        InputError, match=r"model 'gru' needs text; take 'mlp' or your own, got 'gru'"
    ):
        simulate(clients, "local", 1, "gru")
    whole = [(client.x, client.x[:, 0]) for client in alphabets]
    with pytest.raises(InputError, match="predicts a label at each place"):
        simulate(Clients.from_arrays(whole, kind="text"), "local", 1)


def test_text_that_turns_round_rings_the_bell(alphabets):
    class Turning:
        """Client 0 counts up in rounds 0 and 1, and down from then on."""

        def clients(self, round):
            members = list(alphabets.members)
            if round > 1:
                members[0] = replace(members[1], group=1)
            return replace(alphabets, members=tuple(members))

    history = simulate(Turning(), "rnd", 3, on_signal=True)
    assert history.labels.tolist() == [[0, 1, 0, 1], [0, 1, 0, 1], [1, 1, 0, 1]]


# --- what the models say ------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["local", "oracle", "global"])
@pytest.mark.parametrize("kind", ["images", "text"])
def test_outputs_give_the_final_scores_again(clients, alphabets, method, kind):
    data = clients if kind == "images" else alphabets
    history = simulate(data, method, 2, batch_size=8)
    final = history.final()
    found = history.outputs(data)
    assert len(found) == 4
    for client, logits, row in zip(data, found, final.itertuples(), strict=True):
        assert logits.shape == (*client.y_test.shape, data.n_classes)
        assert logits.dtype == np.float32
        asked = client.y_test != IGNORED
        y, scores = client.y_test[asked], logits[asked].astype(np.float64)
        assert (scores.argmax(1) == y).mean() == pytest.approx(row.accuracy)
        assert top_k(logits, client.y_test, 1) == pytest.approx(row.accuracy)
        loss = np.log(np.exp(scores).sum(1)) - scores[np.arange(len(y)), y]
        assert loss.mean() == pytest.approx(row.loss, rel=1e-5)


def test_outputs_need_the_clients_that_were_simulated(clients, stripe_clients):
    history = simulate(clients, "global", 1)
    with pytest.raises(InputError, match="4 clients with test data expected, got 3"):
        history.outputs(clients[:3])
    with pytest.raises(InputError, match="give those that were simulated, made with_test"):
        history.outputs(stripe_clients(4, n_test=0))


def test_outputs_on_data_that_were_held_out(stripe_clients):
    bare = stripe_clients(2, n=40, n_test=0)
    history = simulate(bare, "local", 1, seed=5)
    held_out = bare.with_test(seed=5)
    for client, logits, row in zip(
        held_out, history.outputs(held_out), history.final().itertuples(), strict=True
    ):
        assert (logits.argmax(1) == client.y_test).mean() == pytest.approx(row.accuracy)


# --- test data ----------------------------------------------------------------------------------


def test_a_fifth_is_held_out_where_there_is_no_test_data(stripe_clients):
    clients = stripe_clients(2, n=40, n_test=0)
    held_out = clients.with_test(0.2, seed=5)
    assert [len(c.x_test) for c in held_out] == [8, 8]
    a, b = (simulate(c, "global", 2, seed=5) for c in (clients, held_out))
    assert results(a).equals(results(b))


# --- costs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size, epochs", [(8, 1), (None, 3)])
def test_costs_of_global_training_by_hand(clients, batch_size, epochs):
    history = simulate(clients, "global", 2, batch_size=batch_size, local_epochs=epochs)
    table = history.table
    assert set(table["bytes_up"]) == set(table["bytes_down"]) == {MLP_BYTES}
    # 30 samples per epoch, one pass forward and two backward.
    assert set(table["multiply_adds"]) == {3 * 30 * epochs * MLP_WEIGHTS}
    assert (table["seconds"] > 0).all()
    assert set(history.ledger.table["phase"]) == {"training"}


def test_buffers_are_sent_too(clients):
    def with_buffers(shape, n_classes):
        return nn.Sequential(nn.BatchNorm2d(1), *linear(shape, n_classes))

    table = simulate(clients, "global", 1, with_buffers).table
    # Weight, bias, mean and variance of one channel, and a count of 8 bytes.
    assert set(table["bytes_up"]) == {4 * (64 * 4 + 4) + 4 * 4 + 8}


def test_local_training_sends_nothing(clients):
    history = simulate(clients, "local", 2)
    assert history.ledger.total()[["bytes_up", "bytes_down"]].tolist() == [0, 0]
    assert history.labels.tolist() == [[0, 1, 2, 3]] * 2


def test_a_client_alone_in_its_federation_sends_nothing(stripe_clients):
    clients = stripe_clients(3)  # groups 0, 1, 0
    table = simulate(clients, "oracle", 1).table
    assert table["federation"].tolist() == [0, 1, 0]
    assert table["bytes_up"].tolist() == [MLP_BYTES, 0, MLP_BYTES]
    assert table["bytes_down"].tolist() == [MLP_BYTES, 0, MLP_BYTES]


def test_a_single_client(clients, methods):
    for method, params in methods.items():
        table = simulate(clients[:1], method, 1, **params).table
        assert len(table) == 1 and table["federation"][0] == 0


def test_costs_of_ifca_by_hand(clients):
    history = simulate(clients, "ifca", 2, n_clusters=3)
    table = history.table
    # Three models come down to choose from; one model and the number of the choice go up.
    assert set(table["bytes_down"]) == {3 * MLP_BYTES}
    assert set(table["bytes_up"]) == {MLP_BYTES + 8}
    # Three passes forward to choose, then one forward and two backward to train.
    assert set(table["multiply_adds"]) == {30 * (3 + 3) * MLP_WEIGHTS}
    assert sorted(history.models) == [0, 1, 2]


def test_rnd_pays_for_discovery_before_training(clients, small_rnd):
    history = simulate(clients, "rnd", 3, rnd=small_rnd)
    ledger = history.ledger.table
    discovery = ledger[ledger["phase"].str.startswith("discovery")]
    assert set(discovery["phase"]) == {"discovery/predictors", "discovery/novelty"}
    assert set(discovery["round"]) == {0}
    assert set(ledger.loc[ledger["phase"] == "training", "round"]) == {0, 1, 2}
    first = history.table.query("round == 0")
    spent = ledger.query("round == 0").groupby("client")["bytes_down"].sum()
    assert first["bytes_down"].tolist() == spent.tolist()


def test_rnd_pays_again_when_it_discovers_again(clients, small_rnd):
    history = simulate(clients, "rnd", 4, rnd=small_rnd, recluster_every=2)
    ledger = history.ledger.table
    discovery = ledger[ledger["phase"].str.startswith("discovery")]
    assert sorted(set(discovery["round"])) == [0, 2]
    per_round = discovery.groupby("round")["bytes_down"].sum()
    assert per_round[0] == per_round[2] > 0


# --- participation ------------------------------------------------------------------------------


def trained(history):
    """Who trained, by round."""
    table = history.ledger.table.query("phase == 'training'")
    return table.groupby("round")["client"].apply(set).tolist()


SAMPLING = [name for name, method in METHODS.items() if method.sampling]


@pytest.mark.parametrize("method", SAMPLING)
def test_half_of_the_clients_train(stripe_clients, methods, method):
    given = methods[method] | (dict(warmup_rounds=6) if method == "flhc" else {})
    history = simulate(stripe_clients(8), method, 6, participation=0.5, **given)
    rounds = trained(history)
    assert [len(members) for members in rounds] == [4] * 6
    assert set.union(*rounds) == set(range(8))
    assert len({frozenset(members) for members in rounds}) > 1
    table = history.table
    assert len(table) == 48 and not table.isna().any(axis=None)
    idle = [r * 8 + i for r in range(6) for i in range(8) if i not in rounds[r]]
    once = {"rnd", "pacfl"}  # before round 0 everybody takes part in their discovery
    idle = [row for row in idle if row >= 8 or method not in once]
    assert (table.loc[idle, list(COSTS)] == 0).all(axis=None)


@pytest.mark.parametrize("method", ["global", "oracle", "local"])
def test_at_least_one_client_trains(clients, method):
    history = simulate(clients, method, 3, participation=0.01)
    assert [len(members) for members in trained(history)] == [1, 1, 1]


def test_a_federation_without_participants_keeps_its_model(clients):
    history = simulate(clients, "local", 1, linear, participation=0.5, seed=2)
    start = build_model(linear, (1, 8, 8), 4, seed=2)
    (members,) = trained(history)
    for i, model in history.models.items():
        same = torch.equal(model["1.weight"].cpu(), start[1].weight)
        assert same == (i not in members)


def test_the_average_is_over_those_who_trained(clients):
    history = simulate(clients, "global", 1, linear, participation=0.5, batch_size=8, seed=4)
    (members,) = trained(history)
    alone = simulate(clients, "local", 1, linear, batch_size=8, seed=4)
    for name, value in history.models[0].items():
        expected = sum(alone.models[i][name] for i in members) / 2
        torch.testing.assert_close(value, expected)


# --- a method of one's own ----------------------------------------------------------------------


class Split(Method):
    """Together at first; after training in round 1, those who trained go into pairs."""

    def assign(self, round, run):
        return run.labels

    def needs_all(self, round):
        return round == 2

    def regroup(self, round, run, trained):
        self.seen = [*getattr(self, "seen", []), sorted(trained)]
        labels = run.labels.copy()
        if round == 1:
            labels[list(trained)] = 5
        return labels


@pytest.fixture
def split(monkeypatch):
    """The method `split`; what has been made of it is in the list."""
    made = []
    monkeypatch.setitem(METHODS, "split", lambda: made.append(Split()) or made[-1])
    return made


def test_a_method_may_regroup_after_training(clients, split):
    history = simulate(clients, "split", 3, linear, participation=0.5, batch_size=8)
    first, second, third = split[0].seen
    assert (len(first), len(second), third) == (2, 2, [0, 1, 2, 3])
    moved = [5 if i in second else 0 for i in range(4)]
    assert history.labels.tolist() == [[0] * 4, moved, moved]
    assert [sorted(members) for members in trained(history)] == split[0].seen


def test_who_regroups_averages_with_the_new_federation_from_the_old_ones_model(clients, split):
    history = simulate(clients, "split", 2, linear, participation=0.5, batch_size=8)
    whole = simulate(clients, "global", 2, linear, participation=0.5, batch_size=8)
    once = simulate(clients, "global", 1, linear, participation=0.5, batch_size=8)
    for name in history.models[5]:
        # Those who moved take all there was to average; those who stayed keep what they had.
        assert torch.equal(history.models[5][name], whole.models[0][name])
        assert torch.equal(history.models[0][name], once.models[0][name])


# --- reproducibility ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_same_seed_same_bits(clients, methods, method):
    share = 0.5 if METHODS[method].sampling else 1.0
    runs = [
        simulate(
            clients, method, 2, seed=seed, batch_size=8, participation=share, **methods[method]
        )
        for seed in (3, 3, 4)
    ]
    assert results(runs[0]).equals(results(runs[1]))
    for federation, model in runs[0].models.items():
        assert all(torch.equal(v, runs[1].models[federation][k]) for k, v in model.items())
    assert (scores(runs[0])[:, 0] != scores(runs[2])[:, 0]).all()


@pytest.mark.parametrize("method", METHODS)
def test_global_generators_are_left_alone(clients, methods, method, global_rng_untouched):
    simulate(clients, method, 2, **methods[method])


def test_the_clients_are_left_alone(clients):
    before = [client.x.copy() for client in clients]
    simulate(clients, "global", 1)
    assert all(np.array_equal(c.x, x) for c, x in zip(clients, before, strict=True))


# --- what cannot be used ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method, params, message",
    [
        ("orakle", {}, "unknown method 'orakle'; did you mean 'oracle'"),
        ("local", dict(k=3), r"unknown parameter of method 'local' 'k' \(allowed: none\)"),
        ("rnd", dict(step=3), "'step'; did you mean 'steps'"),
        ("rnd", dict(recluster_evry=3), "'recluster_evry'; did you mean 'recluster_every'"),
        ("ifca", dict(clusters=3), "'clusters'; did you mean 'n_clusters'"),
        ("ifca", dict(n_clusters=0), "n_clusters must be a whole number of at least 1, got 0"),
        ("ifca", dict(n_clusters=5), "ifca: 5 clusters need at least as many clients"),
        ("rnd", dict(criterion="paper"), "'paper' needs tolerance"),
        ("rnd", dict(recluster_every=0), "recluster_every must be a whole number"),
        ("global", dict(rounds=0), "rounds must be a whole number of at least 1, got 0"),
        ("global", dict(seed=-1), "seed must be a whole number of at least 0, got -1"),
        ("global", dict(participation=0), "participation must be a number from 1e-09 to 1.0"),
        ("global", dict(participation=1.5), "participation must be a number .*, got 1.5"),
        ("global", dict(lr=-1), "lr must be a number"),
        ("global", dict(local_epochs=0), "local_epochs must be a whole number"),
        ("global", dict(local_steps=0), "local_steps must be a whole number"),
        ("global", dict(batch_size=0), "batch_size must be a whole number"),
        ("global", dict(model="mpl"), "unknown model 'mpl'; did you mean 'mlp'"),
    ],
)
def test_unusable_arguments(clients, method, params, message):
    with pytest.raises(InputError, match=message):
        simulate(clients, method, **{"rounds": 1, **params})


@pytest.mark.parametrize("method", ["local", "global", "rnd"])
def test_training_needs_labels(stripe_clients, method):
    clients = Clients.from_arrays([(client.x, None) for client in stripe_clients(3)])
    with pytest.raises(InputError, match="client 0 has no labels"):
        simulate(clients, method, 1)


def test_the_oracle_needs_known_groups(stripe_clients):
    with pytest.raises(InputError, match="'oracle' needs clients whose true groups are known"):
        simulate(stripe_clients(2, known=False), "oracle", 1)
