import numpy as np
import pandas as pd
import pytest

from rndcfl import Clients, InputError, discover
from rndcfl.book.studies import told as studied
from rndcfl.book.studies.told import (
    RIVALS,
    at_best,
    by_silhouette,
    every_choice,
    mutual,
    rival_rows,
    told,
)
from rndcfl.criteria.linkage import GROUPINGS, group
from rndcfl.criteria.paper import READINGS, paper_dissimilarity
from rndcfl.novelty import exchange


def blocks(sizes, inside=1.0, outside=5.0):
    """A dissimilarity with a block for each group."""
    groups = np.repeat(range(len(sizes)), sizes)
    return np.where(groups[:, None] == groups, inside, outside), groups


# --- told, or by silhouette ---------------------------------------------------------------------


@pytest.mark.parametrize("inside", [1.0, 0.0, -2.0])
def test_blocks_are_found_by_who_is_told_how_many(inside):
    dissimilarity, groups = blocks([3, 2, 4], inside)
    assert told(dissimilarity, 3).tolist() == groups.tolist()
    assert told(dissimilarity, 1).max() == 0 and told(dissimilarity, 9).max() == 8


@pytest.mark.parametrize("sizes", [[4, 4], [3, 2, 4], [1, 3]])
@pytest.mark.parametrize("inside", [1.0, 0.0, -2.0])
def test_silhouettes_count_blocks(sizes, inside):
    dissimilarity, groups = blocks(sizes, inside)
    given = dissimilarity.copy()
    assert by_silhouette(given).tolist() == groups.tolist()
    np.testing.assert_array_equal(given, dissimilarity)


def test_silhouettes_never_say_one_federation():
    rng = np.random.default_rng(0)
    noise = mutual(1 + 0.1 * rng.random((8, 8)))
    assert 1 <= by_silhouette(noise).max() < 7
    assert by_silhouette(np.ones((5, 5))).max() == 1


def test_silhouettes_need_three():
    with pytest.raises(InputError, match="at least 3 clients"):
        by_silhouette(np.ones((2, 2)))


def test_linkage_takes_the_average():
    """Client 2 is at .5 from client 1 and at 4.5 from client 0, 2.5 on average; 2 from client 3."""
    line = np.array([0.0, 4.0, 4.5, 6.5])
    dissimilarity = abs(line[:, None] - line)
    dissimilarity[0, 1] = dissimilarity[1, 0] = 0.1
    assert told(dissimilarity, 2).tolist() == [0, 0, 1, 1]


# --- Eq. 9 --------------------------------------------------------------------------------------


def test_every_reading_grouping_and_tolerance_of_eq_9():
    rng = np.random.default_rng(1)
    novelty = rng.random((6, 6)) + 0.1
    found = every_choice(novelty)
    assert {tuple(name.split(", ")[:2]) for name in found} == {
        (reading, grouping) for reading in READINGS for grouping in GROUPINGS
    }
    for name, labels in list(found.items())[::40]:
        reading, grouping, tolerance = name.split(", ")
        own = group(paper_dissimilarity(novelty, reading), float(tolerance), grouping)
        assert labels.tolist() == own.tolist()


def test_the_best_choice_is_that_of_all_seeds_of_a_case_together():
    rows = pd.DataFrame(
        [
            ("a", 0, "eq9", "x", 1, 1.0),
            ("a", 1, "eq9", "x", 0, 0.1),
            ("a", 0, "eq9", "y", 0, 0.9),
            ("a", 1, "eq9", "y", 1, 1.0),
            ("b", 0, "eq9", "x", 1, 1.0),
            ("b", 0, "eq9", "y", 0, 0.0),
            ("a", 0, "mmd", "-", 0, 0.0),
            ("a", 1, "mmd", "-", 1, 1.0),
        ],
        columns=["setting", "seed", "rival", "choice", "exact", "ari"],
    )
    each = at_best(rows, ["setting"])
    chosen = each[each["rival"] == "eq9"].groupby("setting")["choice"].unique()
    assert chosen["a"].tolist() == ["y"] and chosen["b"].tolist() == ["x"]
    assert (each["rival"] == "mmd").sum() == 2
    once = at_best(rows, [])
    assert set(once[once["rival"] == "eq9"]["choice"]) == {"x"}
    assert (once["rival"] == "eq9").sum() == 3


# --- all rivals ---------------------------------------------------------------------------------


def test_every_rival_has_rows(stripe_clients, monkeypatch):
    monkeypatch.setattr(studied, "AUTHORS_SAMPLES", 200)
    rows = pd.DataFrame(rival_rows(stripe_clients(6, n=60), 0))
    assert list(rows["rival"].unique()) == list(RIVALS)
    assert rows["exact"].isin([0, 1]).all() and (rows["ari"] <= 1).all()
    assert ((rows["ari"] == 1) == (rows["exact"] == 1)).all()
    assert (rows["seconds"] > 0).all() and rows["federations"].between(1, 6).all()
    per_rival = rows.groupby("rival")["choice"].nunique()
    of_eq9 = per_rival.index.str.startswith("eq9")
    assert (per_rival[~of_eq9] == 1).all() and (per_rival[of_eq9] == 650).all()
    exact = rows[rows["rival"].isin(["features", "told_features", "mmd"])]["exact"]
    assert exact.all()


def test_what_a_discovery_finds_is_what_its_row_says(stripe_clients):
    clients = stripe_clients(6, n=30)
    row = next(rival_rows(clients, 3, ["features"]))
    found = discover(clients, by="features", seed=3)
    assert row["federations"] == found.n_federations


def test_one_federation_is_scored_as_it_comes(stripe_clients):
    clients = stripe_clients(5, one_group=True)
    rows = {
        row["rival"]: row
        for row in rival_rows(clients, 0, ["told_features", "silhouette_features"])
    }
    assert rows["told_features"]["exact"] == 1 and rows["silhouette_features"]["exact"] == 0


def test_rivals_need_a_name_and_a_truth(stripe_clients):
    with pytest.raises(InputError, match="mmd"):
        next(rival_rows(stripe_clients(4), 0, ["mmdd"]))
    few = Clients.from_arrays(
        [(client.x[: 3 if i == 2 else 30], None) for i, client in enumerate(stripe_clients(4))],
        [0, 1, 0, 1],
    )
    (row,) = rival_rows(few, 0, ["c2st"])
    assert (row["exact"], row["federations"]) == (1, 2)
    nameless = Clients.from_arrays([(client.x, None) for client in stripe_clients(4)])
    with pytest.raises(InputError, match="true groups"):
        next(rival_rows(nameless, 0, ["mmd"]))


def test_eq_9_has_the_budgets_that_its_names_say(stripe_clients, monkeypatch):
    steps = []

    def exchanged(clients, profile, seed, ledger):
        steps.append((profile.rnd.predictor, profile.rnd.steps, profile.rnd.train_share))
        return exchange(clients, profile, seed, ledger)

    monkeypatch.setattr(studied, "exchange", exchanged)
    monkeypatch.setattr(studied, "every_choice", lambda novelty: {"-": np.arange(3)})
    clients = stripe_clients(3, n=60)
    list(rival_rows(clients, 0, ["eq9", "eq9_authors", "eq9_steps"]))
    assert steps == [((4, 8), 150, 1.0), ((2, 4), 5, 1.0), ((2, 4), 326, 1.0)]
