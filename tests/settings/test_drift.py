import numpy as np
import pytest

from rndcfl import InputError, discover, make_drift, simulate
from rndcfl.criteria import Calibrated
from rndcfl.settings.drift import KINDS

TINY = dict(n_clients=4, n_groups=2, at=2, movers=1, samples_per_client=40, test_per_client=10)


@pytest.mark.parametrize(
    "kind, before, after",
    [
        ("none", [0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 1, 2]),
        ("move", [0, 1, 2, 0, 1, 2], [1, 2, 2, 0, 1, 2]),
        ("merge", [0, 1, 2, 0, 1, 2], [0, 1, 0, 0, 1, 0]),
        ("split", [0, 1, 0, 0, 1, 0], [0, 1, 2, 0, 1, 2]),
        ("gradual", [0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 1, 2]),
    ],
)
def test_true_groups_of_every_round(kind, before, after):
    drift = make_drift("fashion-mnist-mini", "rotation", kind, at=3, n_clients=6, n_groups=3)
    assert [drift.groups(r).tolist() for r in (0, 2, 3, 9)] == [before, before, after, after]


def test_every_round_brings_fresh_samples_of_the_same_distribution():
    drift = make_drift("fashion-mnist-mini", "contrast", "none", lowest=0.5, **TINY)
    first, later = drift.clients(0), drift.clients(5)
    assert (first[0].x != later[0].x).any()
    np.testing.assert_array_equal(later[0].x, drift.clients(5)[0].x)
    assert first[1].x.max() <= 0.5 and later[1].x.max() <= 0.5
    assert later[0].x.max() > 0.9


def test_a_client_that_moves_changes_and_the_others_do_not():
    still = make_drift("fashion-mnist-mini", "contrast", "none", lowest=0.5, **TINY)
    moved = make_drift("fashion-mnist-mini", "contrast", "move", lowest=0.5, **TINY)
    before, after = still.clients(2), moved.clients(2)
    np.testing.assert_allclose(after[0].x, 0.5 * before[0].x)
    for i in (1, 2, 3):
        np.testing.assert_array_equal(after[i].x, before[i].x)


def test_gradual_drift_turns_everybody():
    drift = make_drift("fashion-mnist-mini", "rotation", "gradual", degrees_per_round=90.0, **TINY)
    still = make_drift("fashion-mnist-mini", "rotation", "none", **TINY)
    for r in (0, 1, 2):
        turned = np.rot90(still.clients(r)[0].x, r, axes=(2, 3))
        np.testing.assert_array_equal(drift.clients(r)[0].x, turned)


def test_what_cannot_drift():
    with pytest.raises(InputError, match="unknown kind of drift 'mov'; did you mean 'move'"):
        make_drift("fashion-mnist-mini", "rotation", "mov")
    with pytest.raises(InputError, match="drift 'gradual' turns setting 'rotation', not 'noise'"):
        make_drift("fashion-mnist-mini", "noise", "gradual")
    assert KINDS == ("none", "move", "merge", "split", "gradual")


# --- simulation ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drift():
    return make_drift(
        "fashion-mnist-mini",
        "rotation",
        "move",
        at=2,
        n_clients=6,
        n_groups=2,
        movers=1,
        samples_per_client=120,
        test_per_client=20,
    )


def run(drift, method="rnd", rounds=4, **params):
    return simulate(drift, method, rounds, seed=0, progress=False, **params)


def test_true_groups_and_data_follow_the_stream(drift):
    history = run(drift, "oracle")
    for r, rows in history.table.groupby("round"):
        assert rows["group"].tolist() == drift.groups(r).tolist()
    # The oracle numbers federations anew in each round: client 0 is always the first.
    assert history.labels[:2].tolist() == [[0, 1] * 3] * 2
    assert history.labels[2:].tolist() == [[0, 0, 1, 0, 1, 0]] * 2


def test_once_is_wrong_after_a_change_and_a_signal_is_not(drift):
    once, signal, every = (
        run(drift, **kind) for kind in ({}, dict(on_signal=True), dict(recluster_every=2))
    )
    assert once.labels[3].tolist() == [0, 1, 0, 1, 0, 1]
    # The names stay: client 0 has gone over to federation 1.
    for history in (signal, every):
        assert history.labels.tolist() == [[0, 1] * 3] * 2 + [[1, 1, 0, 1, 0, 1]] * 2


def test_only_what_changed_is_sent_again(drift):
    table = run(drift, on_signal=True).ledger.table
    spent = table[table["phase"].str.startswith("discovery")].groupby(["round", "client"])
    up, down = (spent[name].sum().unstack() for name in ("bytes_up", "bytes_down"))
    predictor = table[(table["phase"] == "discovery/predictors")]["bytes_up"].max()
    assert set(up.index) == {0, 1, 2, 3}
    assert (up.loc[[1, 3]] == 0).all(axis=None) and (down.loc[[1, 3]] == 0).all(axis=None)
    assert (down.loc[0] > 5 * predictor - 1).all()
    # In round 2 client 0 sends its new predictor and a whole row, the others a few numbers.
    assert up.loc[2, 0] > predictor and (up.loc[2, 1:] < 300).all()
    assert (down.loc[2, 1:] == predictor).all() and down.loc[2, 0] < predictor


def test_the_first_discovery_is_the_same_as_without_a_signal(drift):
    plain, signal = run(drift, rounds=1), run(drift, rounds=1, on_signal=True)
    assert plain.labels.tolist() == signal.labels.tolist()
    costs = ["bytes_up", "bytes_down", "multiply_adds"]
    for a, b in zip(*(h.ledger.table.groupby("phase") for h in (plain, signal)), strict=True):
        np.testing.assert_array_equal(a[1][costs].sum(), b[1][costs].sum())
    assert plain.labels[0].tolist() == discover(drift.clients(0), seed=0).labels.tolist()


def test_a_federation_keeps_its_model_over_a_rediscovery(drift):
    signal, oracle = run(drift, on_signal=True), run(drift, "oracle")
    accuracy = [h.table.groupby("round")["accuracy"].mean() for h in (signal, oracle)]
    # In round 2 the mover trains from its new federation's model, which is not new.
    assert signal.table.query("round == 2 and client == 0")["accuracy"].item() > 0.3
    np.testing.assert_allclose(accuracy[0][:2], accuracy[1][:2])


def test_without_a_stream_there_is_nothing_to_watch(drift):
    clients = drift.clients(0)
    signal, once = (run(clients, **kind) for kind in (dict(on_signal=True), {}))
    assert signal.labels.tolist() == once.labels.tolist()
    assert "discovery/watch" not in set(signal.ledger.table["phase"])


def test_a_signal_takes_a_criterion_as_an_object(drift):
    by_name = run(drift, rounds=1, on_signal=True)
    by_object = run(drift, rounds=1, on_signal=True, criterion=Calibrated())
    assert np.array_equal(by_name.labels, by_object.labels)


@pytest.mark.parametrize(
    "params, message",
    [
        (dict(on_signal=True, recluster_every=2), "without recluster_every"),
        (dict(on_signal=True, criterion="paper", tolerance=0.5), "goes with criterion"),
        (dict(on_signal=True, labels=True), "watches inputs only"),
        (dict(on_signal=True, signal_alpha=2.0), "signal_alpha must be a number"),
        (dict(signal_samples=1), "signal_samples must be a whole number"),
    ],
)
def test_unusable_signals(drift, params, message):
    with pytest.raises(InputError, match=message):
        run(drift, **params)


def test_psfl_needs_data_that_stay(drift):
    with pytest.raises(InputError, match="method 'psfl' needs data that stay"):
        run(drift, "psfl")
