from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rndcfl import Clients
from rndcfl.book.studies import real_tasks
from rndcfl.book.studies.real_tasks import (
    Task,
    distance_rows,
    pairs_together,
    resolution_rows,
    tasks,
    together,
)
from rndcfl.book.studies.real_worth import auroc, best_rate, compared, one_run, scores

TASK = Task("own", {}, "mlp", 2, 8, (0.1,), 2, 0.1, ("auroc", "accuracy"), ("rnd", "ifca"))


def two_groups(**taken):
    """Four clients of 40 samples; the second group's are shifted far away."""
    rng = np.random.default_rng(0)
    parts = []
    for i in range(4):
        x = rng.standard_normal((60, 3)) + 9 * (i % 2)
        y = (x[:, 0] > 9 * (i % 2)).astype(np.int64)
        parts.append((x[:40], y[:40], x[40:], y[40:]))
    return Clients.from_arrays(parts, [0, 1, 0, 1], "own")


@pytest.fixture
def drawn(monkeypatch):
    monkeypatch.setattr(real_tasks, "make_clients", lambda *args, **taken: two_groups())
    monkeypatch.setattr(Task, "group_names", lambda self: ("near", "far"))


def test_tasks_take_the_notebooks_parameters():
    found = tasks(8, 60, 5, 3, 0.4)
    assert list(found) == ["heart-disease", "digits", "sms", "shakespeare"]
    assert found["sms"].taken == dict(n_clients=8, samples_per_client=60, test_per_client=40)
    assert {t.rounds for t in found.values() if t.model == "gru"} == {3}
    assert {t.effect for t in found.values() if t.model != "gru"} == {0.1}
    assert "oracle" not in found["shakespeare"].methods  # its groups are not known


def test_resolution_has_a_row_for_each_distance(drawn):
    rows = pd.DataFrame(resolution_rows(TASK, 0, [0.1, 90]))
    assert rows["federations"].tolist() == [2, 1]
    assert rows["exact"].tolist() == [True, False]
    assert rows["ari"].tolist() == [1, 0]


def test_distances_name_clients_and_their_groups(drawn, monkeypatch):
    rows = distance_rows(TASK, 0)
    assert len(rows) == 16
    assert rows.drop_duplicates("i")["group_i"].tolist() == [0, 1, 0, 1]
    apart = rows["i"] % 2 != rows["j"] % 2
    assert rows.loc[apart, "distance"].min() > rows.loc[~apart, "distance"].max()


def test_clients_without_groups_are_of_none(drawn, monkeypatch):
    alone = replace(
        two_groups(), members=tuple(replace(c, group=None) for c in two_groups()), dataset="sms"
    )
    monkeypatch.setattr(real_tasks, "make_clients", lambda *args, **taken: alone)
    rows = distance_rows(TASK, 0)
    assert set(rows["group_i"]) == {-1}
    assert rows["name_i"].iloc[0] == "person 1"
    assert pd.DataFrame(resolution_rows(TASK, 0, [0.1]))["ari"].isna().all()


def test_pairs_together_by_hand():
    groups, labels = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 2])
    wanted = [[1 / 3, 2 / 6, 0], [2 / 6, 1, 0], [0, 0, 0]]  # one of three pairs, two of six
    assert pairs_together(groups, labels) == pytest.approx(np.array(wanted))


def test_together_is_a_table_with_the_groups_names(drawn):
    table = together(TASK, [0, 1])
    assert table.columns.tolist() == ["group", "near", "far"]
    assert table["near"].tolist() == [1, 0]


def test_auroc_is_that_of_each_group_and_leaves_out_those_who_are_all_ill():
    x = np.zeros((2, 1))
    ill = [[0, 1], [0, 1], [0, 1], [1, 1]]
    clients = Clients.from_arrays(
        [(x, np.zeros(2, int), x, np.array(y)) for y in ill], [0, 0, 1, 2]
    )
    logits = [np.array([[0.0, a], [0, b]]) for a, b in ((1, 2), (3, 4), (9, 8), (0, 0))]
    assert auroc(clients, logits) == pytest.approx((3 / 4 + 0) / 2)


def test_methods_that_find_the_same_federations_share_a_run(drawn):
    trained = {}
    rnd = one_run(TASK, "rnd", 0, 0.1, trained)
    assert list(trained) == [((0, 1, 0, 1), 0.1)]
    kept = trained[(0, 1, 0, 1), 0.1]
    oracle = one_run(TASK, "oracle", 0, 0.1, trained)
    assert len(trained) == 1 and trained[(0, 1, 0, 1), 0.1] is kept
    assert rnd["accuracy"] == oracle["accuracy"] and rnd["ari"] == 1
    assert rnd["mb"] > oracle["mb"]  # discovery costs
    one_run(TASK, "ifca", 0, 0.1, trained)
    assert set(trained) == {((0, 1, 0, 1), 0.1), "ifca"}


def test_scores_are_those_that_a_task_asks_for(drawn):
    trained = {}
    one_run(TASK, "rnd", 0, 0.1, trained)
    (history,) = trained.values()
    asked = scores(TASK, two_groups(), history)
    assert set(asked) == {"accuracy", "worst_client", "auroc"}
    assert 0 <= asked["worst_client"] <= asked["accuracy"] <= 1
    assert "auroc" not in scores(replace(TASK, metrics=("accuracy",)), two_groups(), history)


@pytest.mark.parametrize(("metric", "best"), [("accuracy", 0.3), ("bits_per_character", 0.1)])
def test_the_best_rate_has_the_highest_accuracy_or_the_fewest_bits(metric, best):
    tried = pd.DataFrame(
        {
            "dataset": ["own", "own", "other", "own"],
            "method": ["rnd", "rnd", "rnd", "ifca"],
            "lr": [0.1, 0.3, 0.5, 0.7],
            metric: [1.0, 2.0, 9.0, 0.0],
        }
    )
    assert best_rate(tried, replace(TASK, metrics=(metric,)), "rnd") == best


def test_methods_are_compared_by_seed():
    runs = pd.DataFrame(
        {
            "dataset": "own",
            "method": ["rnd"] * 3 + ["ifca"] * 3,
            "seed": [0, 1, 2, 2, 1, 0],
            "accuracy": [0.5, 0.6, 0.7, 0.6, 0.5, 0.4],
            "worst_client": 0.2,
            "ari": [1, 1, 1, 1, 1, 0.5],
            "clients": 4,
            "federations": 2,
            "mb": 1.0,
            "lr": 0.1,
        }
    )
    row = compared(runs, TASK, "ifca", "accuracy")
    assert row["score_mean"] == pytest.approx(0.5)
    assert row["rnd_minus_mean"] == pytest.approx(0.1)
    assert row["rnd_minus_ci95"] == pytest.approx(0, abs=1e-9)  # the same in each seed
    assert row["exact"] == pytest.approx(2 / 3)
