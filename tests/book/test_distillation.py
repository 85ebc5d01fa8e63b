"""What training the predictors buys: the arms, what is given away, what a liar can do."""

import numpy as np
import pandas as pd
import pytest
import torch

from rndcfl import RND, InputError, Ledger, make_clients
from rndcfl.book import figures
from rndcfl.book.studies.budget import found_with, leaked_with, told_by_report
from rndcfl.book.studies.distillation import (
    ARMS,
    PIXELS,
    Cases,
    arms_table,
    best_of_pixels,
    compared,
    distillation,
    overall,
    profile_of,
    projection,
)
from rndcfl.book.studies.lies import lies
from rndcfl.features import Features
from rndcfl.novelty import Novelty
from rndcfl.predictors import untrained_predictors

MINI = "fashion-mnist-mini"


def runs_of(**exact):
    """Runs of one case, for each arm its values of exact by seed."""
    case = dict(dataset="d", setting="noise", samples=60, federations=4)
    return pd.DataFrame(
        dict(case, arm=arm, seed=seed, exact=hit, ari=float(hit), bytes_per_client=8, seconds=1.0)
        for arm, hits in exact.items()
        for seed, hit in enumerate(hits)
    )


def test_arms_are_what_they_are_called(stripe_clients):
    clients = stripe_clients(4)
    assert profile_of("trained", clients, 0) == Novelty()
    assert profile_of("trained_20", clients, 0) == Novelty(RND(steps=20))
    assert profile_of("features", clients, 0) == Features()
    assert set(PIXELS) < set(ARMS)
    with pytest.raises(InputError, match="unknown arm 'trianed'; did you mean 'trained'"):
        profile_of("trianed", clients, 0)


def test_untrained_predictors_are_as_they_were_drawn(stripe_clients):
    clients = stripe_clients(3)
    profile = profile_of("untrained", clients, 0)
    moved, _ = profile.prepare(clients, 0, Ledger())
    trained, _ = Novelty(RND(steps=1)).prepare(clients, 0, Ledger())
    drawn = untrained_predictors((1, 8, 8), 3, RND(), 0)
    for name, values in drawn.parameters.items():
        torch.testing.assert_close(moved.parameters[name], values, atol=1e-8, rtol=0)
    assert any((trained.parameters[k] != v).any() for k, v in drawn.parameters.items())


def test_projections_are_of_the_inputs(stripe_clients):
    clients = stripe_clients(4, n=60)
    x = np.concatenate([client.x.reshape(len(client), -1) for client in clients])
    axes = projection("principal", clients, 0).weight.numpy()
    np.testing.assert_allclose(axes.T @ axes, np.eye(64), atol=1e-4)
    assert np.var(x @ axes[:, 0]) > 5 * np.var(x @ axes[:, -1])
    waves = projection("fourier", clients, 0)(torch.from_numpy(clients[0].x))
    assert waves.shape == (60, 64) and waves.abs().max() <= 1
    linear = projection("linear", clients, 0)
    one, two = (torch.from_numpy(clients[i].x) for i in (0, 1))
    torch.testing.assert_close(linear(one + two), linear(one) + linear(two), atol=1e-4, rtol=1e-4)


def test_every_arm_judges_the_same_clients():
    cases = Cases([MINI], ["rotation"], [60])
    runs = distillation(cases, 0)
    assert runs["arm"].tolist() == list(ARMS)
    assert runs["exact"].isin((0, 1)).all() and runs["ari"].between(-1, 1).all()
    cost = runs.set_index("arm")["bytes_per_client"]
    assert cost["features"] == cost["linear"] == 8 * (1 + 64 + 64 * 65 // 2) + 8
    assert cost["trained"] == cost["untrained"] > 10 * cost["features"]
    again = distillation(cases, 0).drop(columns="seconds")
    pd.testing.assert_frame_equal(again, runs.drop(columns="seconds"))


def test_clients_too_small_to_compare_are_no_case():
    sizes = [n for _, clients, _ in Cases([MINI], ["quantity"], [12]).each(0) for n in clients]
    assert all(len(client) >= 3 for client in sizes)


def test_of_the_projections_the_best_of_each_case_is_kept():
    runs = runs_of(trained=[1, 1], linear=[0, 0], fourier=[1, 0], principal=[0, 0])
    left = best_of_pixels(runs)
    assert left["arm"].tolist() == ["trained"] * 2 + ["pixels"] * 2
    assert left.loc[left["arm"] == "pixels", "exact"].tolist() == [1, 0]


def test_the_table_has_exact_intervals():
    table = arms_table(runs_of(features=[1] * 10, trained=[1] * 5 + [0] * 5)).set_index("arm")
    assert table.loc["features", "exact"] == 1 and table.loc["features", "seeds"] == 10
    assert table.loc["features", "exact_low"] == pytest.approx(0.6915, abs=1e-4)
    assert table.loc["trained", "exact"] == 0.5
    assert overall(runs_of(features=[1, 0, 1]))["right"].tolist() == [2]


def test_more_steps_are_remembered():
    short, long = leaked_with(MINI, 0, [RND(steps=1), RND(steps=600, lr=1e-2)], 60)["auc"]
    assert 0.4 < short < 0.6 < long


def test_a_budget_is_tried_on_every_skew():
    rows = list(found_with(MINI, 0, [RND(steps=5), RND(steps=10)], 60, ["noise", "rotation"]))
    assert [(row["setting"], row["steps"]) for row in rows] == [
        ("noise", 5),
        ("noise", 10),
        ("rotation", 5),
        ("rotation", 10),
    ]


def test_a_report_of_many_functions_tells_who_is_in_it():
    by = {by: told_by_report(MINI, 0, 100, by) for by in ("features", "novelty")}
    assert by["features"]["functions"].unique() == [64]
    assert by["features"]["auc"].mean() > by["novelty"]["auc"].mean() > 0.4
    assert by["features"]["auc"].mean() > 0.8


def test_by_features_there_is_no_predictor_to_lie_about():
    table = pd.DataFrame(lies(MINI, "rotation", 0, 100, ["copy", "one_victim"]))
    own = table.set_index(["attack", "by"])["honest_exact"]
    assert own["copy", "features"] == 1
    assert own["one_victim", "features"] == own["one_victim", "novelty"] == 0
    assert table.set_index("attack")["about"].to_dict() == {
        "copy": "predictor",
        "one_victim": "report",
    }


def test_figures_are_drawn_from_the_tables(stripe_clients):
    many = [
        dict(row, dataset="d", setting=setting, samples=samples)
        for setting in ("noise", "rotation")
        for samples in (60, 150)
        for seed in (0, 1)
        for row in compared(
            make_clients(MINI, setting, 4, 2, seed, 60, test_per_client=1),
            seed,
            ("trained_20", "features"),
        )
    ]
    table = pd.DataFrame(many).replace({"arm": {"trained_20": "trained"}})
    figure = figures.distillation(table)
    assert [text.get_text() for text in figure.axes[1].get_yticklabels()] == ["noise", "rotation"]
    found = pd.DataFrame(
        dict(samples=60, steps=n, share=0.2, seed=s, ari=0.5) for n in (20, 150) for s in (0, 1)
    )
    drawn = figures.budget(found, found.rename(columns={"ari": "auc"}), (150, 0.2))
    assert len(drawn.axes) == 2
    leaked = found.rename(columns={"ari": "auc"}).assign(samples=300)
    away = figures.budget(found, leaked, (150, 0.2)).axes[1]  # of other clients, and drawn
    assert away.get_title() == "given away, 300 samples"
    np.testing.assert_allclose(away.lines[0].get_ydata(), [0.5, 0.5])
