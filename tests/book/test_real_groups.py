from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from rndcfl import Clients, InputError
from rndcfl.book import figures
from rndcfl.book.figures.natural import branches
from rndcfl.book.studies import real_groups, real_variants
from rndcfl.book.studies.real_groups import (
    cluster,
    column_means,
    group_rows,
    in_words,
    mean_distances,
    named_tree,
    summary,
    tree,
)
from rndcfl.book.studies.real_texts import inside, shown_names, typical_strings
from rndcfl.book.studies.real_variants import (
    VARIANTS,
    Variant,
    blurred,
    coarsest,
    english_by_country,
    framed,
    lacking,
    marks_alone,
    measured,
    shared_variables,
)
from rndcfl.data.dataset import Dataset, Origin
from rndcfl.reports import Reports

# age, sex, cp (4), blood pressure, cholesterol, sugar, ecg (3), rate, angina, oldpeak,
# slope (3), ca, thal (3)
WHOLE = [60, 1, 0, 0, 0, 1, 130, 240, 0, 1, 0, 0, 150, 0, 1.0, 0, 1, 0, 0, 1, 0, 0]
ALPHABET = "\N{REPLACEMENT CHARACTER}abcdef"


def hospitals():
    """Two of 40 patients: none of the second has cholesterol, half lack the slope, one the ECG."""
    x = np.tile(np.array(WHOLE, dtype=np.float32), (80, 1))
    x[:, 0] += np.arange(80) % 7
    x[40:, 7] = np.nan
    x[40:60, 15:18] = 0
    x[40, 9:12] = 0
    y = np.arange(80) % 2
    origin = Origin.each_apart(np.repeat([0, 1], 40), ("A", "B"))
    return Dataset(x, y, x[:0], y[:0], "heart-disease", "", 2, "", "", "", origin)


def people():
    """English of two countries and elsewhere, and Chinese: two windows of each."""
    names = ("en001 Singapore", "en002 India", "zh003 China", "en004 Ghana", "en005 Singapore")
    origin = Origin(np.repeat(np.arange(5), 2), names, np.array([0, 0, 1, 0, 0]), ("English", "C"))
    x = np.arange(10)[:, None].repeat(4, 1)
    return Dataset(x, x, x[:0], x[:0], "sms", "", 10, "", "", "", origin, "0123456789")


def writers(texts, dataset="sms", groups=None):
    """A client for each list of windows."""
    code = ALPHABET.index
    x = [np.array([[code(c) for c in window] for window in own]) for own in texts]
    clients = Clients.from_arrays([(own, own) for own in x], groups, dataset, kind="text")
    return replace(
        clients, members=tuple(replace(c, name=f"en{i:03}") for i, c in enumerate(clients))
    )


def test_a_patient_lacks_a_number_that_is_nan_and_a_category_that_is_none():
    x = np.array([WHOLE, WHOLE, WHOLE], dtype=np.float32)
    x[1, 6], x[2, 19:22] = np.nan, 0
    missing = lacking(x)
    assert missing.shape == (3, 13)
    assert [np.flatnonzero(row).tolist() for row in missing] == [[], [3], [12]]


def test_marks_alone_hold_no_value():
    data = marks_alone(hospitals())
    assert data.x_train.shape == (80, 13)
    assert data.x_train[:, 0].sum() == 0  # ages differ, and are gone
    assert data.x_train[40:].sum(0).tolist() == [0] * 4 + [40, 0, 1, 0, 0, 0, 20, 0, 0]


def test_shared_variables_are_those_that_every_hospital_has():
    data = hospitals()
    assert measured(data).loc["B", ["chol", "slope", "restecg"]].tolist() == [0, 0.5, 39 / 40]
    nearly = shared_variables(data, 0.95)
    assert nearly.x_train.shape == (80, 22 - 1 - 3)
    complete = shared_variables(data, 0.4, complete=True)
    assert complete.x_train.shape == (80 - 20, 22 - 1)
    assert not lacking(np.insert(complete.x_train, 7, 1, axis=1)).any()
    assert np.bincount(complete.origin.owner).tolist() == [40, 20]
    assert len(complete.y_train) == 60


def test_digits_on_the_coarsest_grid_have_two_greys_and_blocks_of_four_equal_pixels():
    x = np.random.default_rng(0).random((5, 1, 16, 16)).astype(np.float32)
    out = coarsest(x)
    assert out.shape == x.shape and out.dtype == np.float32
    assert set(np.unique(out)) == {0, 1}
    assert (out[:, :, ::2, ::2] == out[:, :, 1::2, 1::2]).all()
    assert (out[:, 0, 0, 0] == (x[:, 0, :2, :2].mean((1, 2)) > 0.5)).all()


def test_blur_goes_over_pixels_and_not_from_image_to_image():
    x = np.zeros((2, 1, 16, 16), np.float32)
    x[0, 0, 8, 8] = 1
    out = blurred(x)
    assert out[1].max() == 0 and 0 < out[0, 0, 8, 8] < 0.1
    assert out[0].sum() == pytest.approx(1, rel=1e-3)


def test_framed_digits_are_the_same_wherever_they_stood_and_whatever_their_contrast():
    stroke = np.zeros((1, 1, 16, 16), np.float32)
    stroke[0, 0, 2:10, 3:5] = 1
    stroke[0, 0, 8:10, 3:9] = 1
    moved = 0.4 * np.roll(stroke, (4, 5), (2, 3))
    larger = ndimage.zoom(stroke[:, :, 2:10, 3:9], (1, 1, 2, 2), order=0)
    large = np.zeros_like(stroke)
    large[:, :, :, 2:14] = larger
    out = framed(np.concatenate([stroke, moved, large, np.zeros_like(stroke)]))
    assert (out[0] == out[1]).all()
    assert (out[0] != out[2]).mean() < 0.1
    assert out.sum((1, 2, 3)).tolist() == [round(0.3 * 256)] * 4


def test_english_is_grouped_by_country():
    data = english_by_country(people())
    assert data.origin.names == ("en001 Singapore", "en002 India", "en005 Singapore")
    assert data.origin.groups.tolist() == [0, 1, 0]
    assert data.origin.owner.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.x_train[:, 0].tolist() == [0, 1, 2, 3, 8, 9]
    assert data.origin.group_names == ("Singapore", "India")
    assert english_by_country(people(), 3).origin.group_names[2:] == ("United States",)


def test_data_without_owners_are_refused():
    with pytest.raises(InputError, match="whose"):
        english_by_country(replace(people(), origin=None))


def test_column_means_of_tables_images_and_text():
    table = Clients.from_arrays([(np.array([[1.0, 2], [3, 6]]), None)] * 2)
    assert column_means(table).tolist() == [[2, 4]] * 2
    images = Clients.from_arrays([(np.ones((3, 1, 2, 2)), None), (np.zeros((3, 1, 2, 2)), None)])
    assert column_means(images).tolist() == [[1] * 4, [0] * 4]
    text = writers([["aab", "bbb"], ["abc", "abc"]])
    assert column_means(text)[:, 1:4] == pytest.approx(np.array([[2, 4, 0], [2, 2, 2]]) / 6)


def test_clusters_of_points_with_the_number_known_or_by_silhouette():
    rng = np.random.default_rng(0)
    points = np.repeat([[0.0, 0], [9, 0], [0, 9000]], 4, axis=0) + rng.normal(0, 0.1, (12, 2))
    wanted = np.repeat([0, 1, 2], 4)
    for k in (None, 3):
        labels = cluster(points, k)
        assert len(set(zip(labels, wanted, strict=True))) == len(set(labels)) == 3
    assert len(set(cluster(points, 2))) == 2
    assert set(cluster(points, 1)) == {0}
    assert set(cluster(np.ones((5, 2)))) == {0}  # nothing to tell them apart by


def test_silhouette_splits_even_those_that_are_alike():
    points = np.random.default_rng(0).standard_normal((12, 3))
    assert len(set(cluster(points))) > 1


def test_mean_distances_leave_out_the_diagonal():
    distance = np.array([[0, 1, 4.0], [1, 0, 6], [4, 6, 0]])
    assert mean_distances(np.array([0, 0, 1]), distance) == {"inside": 1, "between": 5}
    assert np.isnan(mean_distances(np.zeros(3), distance)["between"])


def study(monkeypatch, n_seeds=2):
    monkeypatch.setattr(real_variants, "load_dataset", lambda name: hospitals())
    own = [Variant("all", "everything"), Variant("marks", "marks", marks_alone, effect=0.3)]
    rows = [
        r for s in range(n_seeds) for r in group_rows("heart-disease", 0.1, s, own, n_clients=4)
    ]
    return pd.DataFrame(rows)


def test_a_study_has_a_row_for_each_variant_method_and_seed(monkeypatch):
    rows = study(monkeypatch)
    assert len(rows) == 2 * 2 * len(real_groups.METHODS)
    assert not rows.duplicated(["variant", "method", "seed"]).any()
    assert (rows.loc[rows["method"] == "features", "min_effect"].unique() == [0.1, 0.3]).all()
    known = rows[rows["method"] == "means_known"]
    assert known["exact"].all() and (known["federations"] == 2).all()
    assert known["between"].isna().all()


def test_a_summary_counts_seeds_and_gives_exact_intervals():
    rows = pd.DataFrame(
        {
            "dataset": "digits",
            "variant": "original",
            "method": ["means"] * 4 + ["novelty"] * 4,
            "min_effect": [None] * 4 + [0.1] * 4,
            "seed": [0, 1, 2, 3] * 2,
            "exact": [True, True, False, True] + [True] * 4,
            "ari": [1, 1, 0, 1] + [1] * 4,
            "federations": [4, 4, 2, 4] + [4] * 4,
            "inside": [np.nan] * 4 + [0.1] * 4,
            "between": [np.nan] * 4 + [1e6] * 4,
        }
    )
    table = summary(rows)
    assert table["exact"].tolist() == [0.75, 1]
    assert table["exact_low"].iloc[1] == pytest.approx(0.025**0.25)
    assert table["federations_mean"].tolist() == [3.5, 4]
    shown = in_words(table)
    assert shown.iloc[0].to_dict() == {
        "data": "digits",
        "what clients hold": "images as they are",
        "column means, k by silhouette": "3 of 4 (0.19 to 0.99); 0.75; 3.5",
        "discovery by novelty": "4 of 4 (0.40 to 1.00); 1.00; 4.0",
        "distance of groups": "over 100",
    }


def test_every_variant_has_a_name_of_its_own_and_words():
    for variants in VARIANTS.values():
        for about in ("name", "words"):
            assert len({getattr(v, about) for v in variants}) == len(variants)


def test_the_tree_merges_clients_as_larger_distances_are_overlooked():
    n, gap = 400, np.array([0.0, 0.0, 0.5, 2.0])
    profile = np.stack([gap, -gap], axis=1)
    reports = Reports(np.full(4, n), profile, np.stack([np.eye(2)] * 4), np.array([-1, -1]))
    found = tree(reports, [0, 1.5, 4])
    by_effect = found.groupby("min_effect")["federation"].agg(list)
    assert by_effect.tolist() == [[0, 0, 1, 2], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert found["client"].tolist() == [0, 1, 2, 3] * 3


@pytest.mark.parametrize(("dataset", "shown"), [("sms", ["A", "B"]), ("plays", ["A 1", "B 1"])])
def test_a_tree_names_clients_but_no_people(monkeypatch, dataset, shown):
    monkeypatch.setattr(real_variants, "load_dataset", lambda name: hospitals())
    monkeypatch.setitem(VARIANTS, dataset, (Variant("marks", "marks", marks_alone),))
    rows = named_tree(dataset, "marks", [0, 90], 0, n_clients=4)
    assert rows["name"].tolist()[:2] == shown
    assert rows["group"].tolist() == [0, 1, 0, 1] * 2


def test_people_are_numbered_and_others_named():
    of_people = writers([["abc"], ["abd"]], "sms", [1, 0])
    assert shown_names(of_people, ("English", "Chinese")) == [
        "person 1 (Chinese)",
        "person 2 (English)",
    ]
    assert shown_names(writers([["abc"], ["abd"]], "sms"), ()) == ["person 1", "person 2"]
    assert shown_names(writers([["abc"], ["abd"]], "plays"), ()) == ["en000", "en001"]


def test_typical_strings_are_those_of_several_people_and_of_no_small_federation():
    ours = [["abca"] * 3, ["abcb"] * 3, ["abcc"] * 3]
    mine_alone = [["eeee"] * 9, *ours[1:]]
    others = [["fdfd"] * 3] * 3
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert typical_strings(writers(ours + others), labels, 0, ALPHABET) == ["abc"]
    assert typical_strings(writers(ours + others), labels, 1, ALPHABET) == ["dfd", "fdf"]
    assert typical_strings(writers(mine_alone + others), labels, 0, ALPHABET) == []
    for few in ([0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1], [0] * 6):
        assert typical_strings(writers(ours + others), np.array(few), 0, ALPHABET) == []


def test_what_is_inside_a_federation_is_said_of_three_and_more():
    texts = [["ab"] * 6, ["ab"] * 6, ["ab"] * 6, ["cc"] * 6]
    rows = list(
        inside(
            writers(texts, "sms", [0, 0, 1, 1]),
            np.array([0, 0, 0, 1]),
            ALPHABET.replace("b", "\n"),
            "EC",
        )
    )
    assert [row["message"] for row in rows] == [2, None]
    assert [row["typical"] for row in rows] == ["-", "-"]
    assert rows[1]["who"] == "person 4 (C)"


def test_typical_strings_leave_out_unknown_characters():
    unknown = [["a" + ALPHABET[0] + "ab"] * 5] * 3
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert typical_strings(writers(unknown + [["fdfd"]] * 3), labels, 0, ALPHABET) == []


def test_branches_last_until_their_members_go_elsewhere():
    labels = np.array([[0, 0, 0], [0, 0, 0], [1, 1, 0]])
    lasting = [(own, a, b, to) for own, a, b, to in branches(labels, [-1, 0, 1, 2])]
    assert lasting == [
        ([0], -1, 0, [[0, 1]]),
        ([1], -1, 0, [[0, 1]]),
        ([2], -1, 2, [[0, 1, 2]]),
        ([0, 1], 0, 2, [[0, 1, 2]]),
        ([0, 1, 2], 2, 2, []),
    ]


def test_the_tree_puts_those_that_merge_early_side_by_side():
    labels = {0.0: [0, 1, 0, 1], 1.0: [0, 1, 0, 1], 2.0: [0, 0, 0, 0]}
    table = pd.DataFrame(
        [
            dict(panel="p", client=i, name="abcd"[i], group=i % 2, min_effect=e, federation=f)
            for e, own in labels.items()
            for i, f in enumerate(own)
        ]
    )
    (ax,) = (a for a in figures.federation_tree(table, {"p": 0.5}).axes if a.axison)
    order = [t.get_text() for t in sorted(ax.get_yticklabels(), key=lambda t: t.get_position()[1])]
    assert {order[0], order[1]} in ({"a", "c"}, {"b", "d"})
    colours = {line.get_color() for line in ax.lines}
    assert len(colours) == 3  # of two groups, and of the federation of both
