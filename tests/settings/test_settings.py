from dataclasses import replace

import numpy as np
import pytest

from rndcfl.common.errors import InputError
from rndcfl.common.seeding import numpy_rng
from rndcfl.settings.catalogue import SETTINGS, Plan, quantity
from rndcfl.settings.partition import make_clients
from rndcfl.settings.transforms import equidistant_patterns

NAMES = [name for name in SETTINGS if name not in ("natural", "mounting")]  # of images
PARTS = ("x", "y", "x_test", "y_test")


def tiny(dataset, setting, n_clients=6, n_groups=3, samples_per_client=20, **params):
    return make_clients(
        dataset, setting, n_clients, n_groups, samples_per_client=samples_per_client, **params
    )


def arrays(client, parts=PARTS):
    return [getattr(client, part) for part in parts]


def assert_same(a, b, parts=PARTS):
    for left, right in zip(a, b, strict=True):
        for one, other in zip(arrays(left, parts), arrays(right, parts), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def grey(tiny_dataset):
    """The tiny dataset with all pixels 0.5, which leaves room on both sides."""
    x_train, x_test = (np.full_like(x, 0.5) for x in (tiny_dataset.x_train, tiny_dataset.x_test))
    return replace(tiny_dataset, x_train=x_train, x_test=x_test)


@pytest.mark.parametrize("setting", NAMES)
def test_clients_join_the_groups_in_turn(tiny_dataset, setting):
    clients = tiny(tiny_dataset, setting, n_clients=7)
    assert clients.groups.tolist() == ([0] * 7 if setting == "iid" else [0, 1, 2, 0, 1, 2, 0])
    assert (clients.dataset, clients.setting, clients.n_classes) == ("tiny", setting, 6)


@pytest.mark.parametrize("setting", NAMES)
def test_arrays_are_as_the_contract_says(tiny_dataset, setting):
    for client in tiny(tiny_dataset, setting):
        for x, y in ((client.x, client.y), (client.x_test, client.y_test)):
            assert x.dtype == np.float32 and x.shape == (len(y), 1, 8, 8) and len(y) > 0
            assert x.flags.c_contiguous
            assert x.min() >= 0 and x.max() <= 1
            assert y.dtype == np.int64 and y.min() >= 0 and y.max() < 6
        if setting != "quantity":
            assert len(client) == 20


@pytest.mark.parametrize("setting", NAMES)
def test_the_seed_decides(tiny_dataset, setting):
    a, b, c = (tiny(tiny_dataset, setting, seed=seed) for seed in (0, 0, 1))
    assert_same(a, b)
    assert any(
        x.shape != y.shape or (x != y).any()
        for x, y in zip(arrays(a[1]), arrays(c[1]), strict=True)
    )


def test_making_clients_leaves_global_generators_alone(tiny_dataset, global_rng_untouched):
    for setting in NAMES:
        tiny(tiny_dataset, setting)


@pytest.mark.parametrize("setting", NAMES)
def test_adding_a_client_leaves_the_others_training_data(tiny_dataset, setting):
    few, many = (tiny(tiny_dataset, setting, n_clients=n) for n in (6, 7))
    assert_same(few, many[:6], ("x", "y"))


@pytest.mark.parametrize("setting", NAMES)
def test_adding_a_client_leaves_the_others_test_data(tiny_dataset, setting):
    few, many = (tiny(tiny_dataset, setting, n_clients=n, test_per_client=8) for n in (6, 7))
    assert_same(few, many[:6], ("x_test", "y_test"))
    assert {len(c.x_test) for c in many} == {8}


@pytest.mark.parametrize("setting", ["iid", "classes"])
def test_no_image_is_given_out_twice(tiny_dataset, setting):
    for part in ("x", "x_test"):
        images = np.concatenate([arrays(c, [part])[0] for c in tiny(tiny_dataset, setting)])
        assert len(np.unique(images, axis=0)) == len(images)


def test_the_default_is_as_many_as_everybody_can_have(tiny_dataset):
    clients = tiny(tiny_dataset, "iid", n_clients=7, samples_per_client=None)
    assert {len(c) for c in clients} == {600 // 7}
    assert {len(c.x_test) for c in clients} == {240 // 7}


@pytest.mark.parametrize(
    "setting, params",
    [
        ("pattern", dict(rms=0)),
        ("rotation", dict(degrees=0)),
        ("noise", dict(sd=0)),
        ("contrast", dict(lowest=1)),
        ("label_swap", dict(share=0)),
        ("quantity", dict(sd=0, base="iid")),
    ],
)
def test_the_weak_end_is_iid(tiny_dataset, setting, params):
    assert_same(tiny(tiny_dataset, setting, **params), tiny(tiny_dataset, "iid"))


@pytest.mark.parametrize(
    "setting, params", [("classes", dict(strength=0)), ("dirichlet", dict(alpha=1e9))]
)
def test_the_weak_end_of_class_skew_has_equal_shares(tiny_dataset, setting, params):
    for client in tiny(tiny_dataset, setting, **params):
        assert np.abs(np.bincount(client.y, minlength=6) - 20 / 6).max() < 1


# --- what happens to the images -----------------------------------------------------------------


def test_iid_clients_hold_images_of_the_dataset(tiny_dataset):
    for client in tiny(tiny_dataset, "iid"):
        for x, y, all_x, all_y in (
            (client.x, client.y, tiny_dataset.x_train, tiny_dataset.y_train),
            (client.x_test, client.y_test, tiny_dataset.x_test, tiny_dataset.y_test),
        ):
            for image, label in zip(x, y, strict=True):
                (found,) = np.flatnonzero((all_x == image).all((1, 2, 3)))
                assert all_y[found] == label


def test_patterns_are_added(tiny_dataset, grey):
    clients = tiny(grey, "pattern", rms=0.1)
    shifts = [c.x[0] - 0.5 for c in clients]
    for client, shift in zip(clients, shifts, strict=True):
        np.testing.assert_allclose(client.x - 0.5, np.broadcast_to(shift, client.x.shape))
        np.testing.assert_allclose(client.x_test - 0.5, np.broadcast_to(shift, client.x_test.shape))
        assert np.sqrt((shift**2).mean()) == pytest.approx(0.1, rel=1e-5)
    np.testing.assert_array_equal(shifts[:3], shifts[3:])
    assert np.abs(sum(shifts[:3])).max() < 1e-6
    # On other images the same patterns, clipped.
    original, shifted = tiny(tiny_dataset, "iid"), tiny(tiny_dataset, "pattern", rms=0.1)
    for a, b, shift in zip(original, shifted, shifts, strict=True):
        np.testing.assert_allclose(b.x, np.clip(a.x + shift, 0, 1), atol=1e-6)
        np.testing.assert_allclose(b.x_test, np.clip(a.x_test + shift, 0, 1), atol=1e-6)


@pytest.mark.parametrize("n_groups", [2, 3, 4, 7])
def test_equidistant_patterns(n_groups):
    patterns = equidistant_patterns(n_groups, (3, 8, 8), 0.15, np.random.default_rng(0))
    assert patterns.shape == (n_groups, 3, 8, 8) and patterns.dtype == np.float32
    flat = patterns.reshape(n_groups, -1).astype(np.float64)
    np.testing.assert_allclose(np.sqrt((flat**2).mean(1)), 0.15, rtol=1e-5)
    np.testing.assert_allclose(flat.sum(0), 0, atol=1e-5)
    distances = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    # A regular simplex with corners at distance r from its centre has edges r sqrt(2 k / (k - 1)).
    edge = np.linalg.norm(flat[0]) * np.sqrt(2 * n_groups / (n_groups - 1))
    np.testing.assert_allclose(distances[~np.eye(n_groups, dtype=bool)], edge, rtol=1e-5)


def test_one_group_has_no_pattern():
    assert not equidistant_patterns(1, (1, 4, 4), 0.15, np.random.default_rng(0)).any()


def test_train_and_test_images_are_turned_alike(tiny_dataset):
    original = tiny(tiny_dataset, "iid", n_clients=8, n_groups=4)
    turned = tiny(tiny_dataset, "rotation", n_clients=8, n_groups=4)
    for i, (a, b) in enumerate(zip(original, turned, strict=True)):
        np.testing.assert_array_equal(b.x, np.rot90(a.x, i % 4, (2, 3)))
        np.testing.assert_array_equal(b.x_test, np.rot90(a.x_test, i % 4, (2, 3)))
        np.testing.assert_array_equal(b.y, a.y)


def test_other_angles_turn_the_same_way(tiny_dataset):
    image = np.zeros((1, 1, 8, 8), dtype=np.float32)
    image[0, 0, 1, 3:5] = 1  # top
    data = replace(tiny_dataset, x_train=np.repeat(image, 600, 0), x_test=np.repeat(image, 240, 0))
    _, quarter = tiny(data, "rotation", n_clients=2, n_groups=2, degrees=90)
    _, nearly = tiny(data, "rotation", n_clients=2, n_groups=2, degrees=85)
    assert quarter.x[0, 0, 3:5, 1].tolist() == [1, 1]  # left
    assert np.abs(nearly.x - quarter.x).mean() < 0.02
    assert 0 < np.abs(nearly.x - quarter.x).max()


def test_noise_grows_from_none_to_sd(grey):
    for i, client in enumerate(tiny(grey, "noise", sd=0.1, samples_per_client=90)):
        for x in (client.x, client.x_test):
            assert (x - 0.5).std() == pytest.approx([0, 0.05, 0.1][i % 3], rel=0.1)
            assert abs(x.mean() - 0.5) < 0.01


def test_noise_differs_between_images_clients_and_parts(grey):
    first, second = tiny(grey, "noise", n_clients=2, n_groups=1, sd=0.1)[0:2]
    assert not first.x.std() and not second.x.std()  # one group: no noise
    a, b = tiny(grey, "noise", n_clients=4, n_groups=2, sd=0.1)[1::2]
    draws = [a.x[0], a.x[1], b.x[0], a.x_test[0]]
    assert len(np.unique(draws, axis=0)) == 4


def test_contrast_multiplies(tiny_dataset):
    original, faint = tiny(tiny_dataset, "iid"), tiny(tiny_dataset, "contrast", lowest=0.5)
    for i, (a, b) in enumerate(zip(original, faint, strict=True)):
        factor = [1, 0.75, 0.5][i % 3]
        np.testing.assert_allclose(b.x, factor * a.x, rtol=1e-6)
        np.testing.assert_allclose(b.x_test, factor * a.x_test, rtol=1e-6)


# --- who holds which classes, and how many ------------------------------------------------------


def test_classes_of_different_groups_are_disjoint(tiny_dataset):
    clients = tiny(tiny_dataset, "classes", n_clients=4, n_groups=2)
    held = [set(c.y.tolist()) for c in clients]
    assert held == [set(c.y_test.tolist()) for c in clients]
    assert held[0] == held[2] and held[1] == held[3]
    assert list(map(len, held)) == [3, 3, 3, 3]
    assert held[0] | held[1] == set(range(6)) and not held[0] & held[1]


def test_classes_strength_is_the_share_of_own_classes(tiny_dataset):
    # Six groups own a class each: half of 24 samples from it, the rest 2 of each class.
    clients = tiny(tiny_dataset, "classes", 6, 6, samples_per_client=24, strength=0.5)
    assert [sorted(np.bincount(c.y, minlength=6)) for c in clients] == [[2, 2, 2, 2, 2, 14]] * 6
    assert {int(np.bincount(c.y).argmax()) for c in clients} == set(range(6))


def test_dirichlet_shares_belong_to_the_group(tiny_dataset):
    clients = tiny(tiny_dataset, "dirichlet", n_clients=4, n_groups=2, alpha=0.5)
    counts = [np.bincount(c.y, minlength=6).tolist() for c in clients]
    assert counts[0] == counts[2] != counts[1] == counts[3]
    tests = [np.bincount(c.y_test, minlength=6) / len(c.y_test) for c in clients]
    for train, test in zip(counts, tests, strict=True):
        assert np.abs(np.array(train) / 20 - test).max() < 0.2


def test_dirichlet_draws_follow_alpha(tiny_dataset):
    def largest_share(alpha):
        skew = SETTINGS["dirichlet"](Plan(tiny_dataset, np.arange(100), 100, 0), alpha)
        assert skew.class_shares.sum(1) == pytest.approx(np.ones(100))
        return skew.class_shares.max(1).mean()

    assert largest_share(0.01) > 0.95 > 0.5 > largest_share(10) > 1 / 6


def test_label_swap_leaves_the_images_and_permutes_labels_differently_per_group(tiny_dataset):
    original = tiny(tiny_dataset, "iid", samples_per_client=60)
    swapped = tiny(tiny_dataset, "label_swap", samples_per_client=60, share=0.5)
    mappings = []
    for a, b in zip(original, swapped, strict=True):
        np.testing.assert_array_equal(a.x, b.x)
        np.testing.assert_array_equal(a.x_test, b.x_test)
        pairs = set(zip(a.y.tolist(), b.y.tolist(), strict=True))
        tests = set(zip(a.y_test.tolist(), b.y_test.tolist(), strict=True))
        assert tests <= pairs
        mapping = [dict(pairs)[label] for label in range(6)]
        assert sorted(mapping) == list(range(6)) and len(pairs) == 6
        mappings.append(tuple(mapping))
    assert mappings[:3] == mappings[3:]
    assert mappings[0] == (0, 1, 2, 3, 4, 5)
    assert len(set(mappings)) == 3
    assert [sum(old != new for old, new in enumerate(m)) for m in mappings[:3]] == [0, 3, 3]


def test_quantity_sizes_differ_by_client_alone(tiny_dataset):
    sizes = [len(c) for c in tiny(tiny_dataset, "quantity", sd=1.0)]
    logs = [numpy_rng(0, "quantity", i).standard_normal() for i in range(6)]
    assert len(set(sizes)) > 3
    assert np.argsort(sizes, kind="stable").tolist() == np.argsort(logs, kind="stable").tolist()


def test_quantity_gives_samples_per_client_on_average(tiny_dataset):
    sizes = quantity(Plan(tiny_dataset, np.zeros(4000, dtype=int), 1, 0), sd=1.0).sizes
    assert np.log(sizes).std() == pytest.approx(1, rel=0.05)
    assert sizes.mean() == pytest.approx(1, rel=0.1)


def test_quantity_turns_its_groups_unless_told_otherwise(tiny_dataset):
    assert_same(tiny(tiny_dataset, "quantity", sd=0), tiny(tiny_dataset, "rotation"))
    turned, plain = (tiny(tiny_dataset, "quantity", base=base) for base in ("rotation", "iid"))
    assert [len(c) for c in turned] == [len(c) for c in plain]
    assert (turned[0].x == plain[0].x).all() and (turned[1].x != plain[1].x).any()


def test_quantity_comes_on_top_of_another_setting(tiny_dataset):
    clients = tiny(tiny_dataset, "quantity", sd=0.5, base="classes", strength=1.0)
    assert clients.groups.tolist() == [0, 1, 2, 0, 1, 2]
    held = [set(c.y.tolist()) for c in clients]
    assert not held[0] & held[1] and not held[0] & held[2] and not held[1] & held[2]
    assert len({len(c) for c in clients}) > 1
    plain = tiny(tiny_dataset, "quantity", sd=0, base="contrast", lowest=0.5)
    assert_same(plain, tiny(tiny_dataset, "contrast", lowest=0.5))


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting, params, message",
    [
        ("rotatoin", {}, "unknown setting 'rotatoin'; did you mean 'rotation'"),
        ("rotation", dict(degree=9), "of setting 'rotation' 'degree'; did you mean 'degrees'"),
        ("iid", dict(rms=1), r"parameter of setting 'iid' 'rms' \(allowed: none\)"),
        ("pattern", dict(rms=-1), "rms must be a number of at least 0.0, got -1"),
        ("rotation", dict(degrees=361), "degrees must be a number from 0.0 to 360.0, got 361"),
        ("rotation", dict(degrees="right"), "degrees must be a number"),
        ("noise", dict(sd=float("nan")), "sd must be a number of at least 0.0, got nan"),
        ("contrast", dict(lowest=1.5), "lowest must be a number from 0.0 to 1.0, got 1.5"),
        ("classes", dict(strength=2), "strength must be a number from 0.0 to 1.0, got 2"),
        ("classes", dict(n_clients=7, n_groups=7), "7 groups cannot share out 6 classes"),
        ("dirichlet", dict(alpha=0), "alpha must be a number of at least 0.001, got 0"),
        ("label_swap", dict(share=0.3), "moves 2 of 6 classes, .* share of at least 0.50"),
        ("label_swap", dict(share=2), "share must be a number from 0.0 to 1.0, got 2"),
        ("quantity", dict(sd=-1), "sd must be a number of at least 0.0"),
        ("quantity", dict(base="quantity"), "quantity: base must be another setting"),
        ("quantity", dict(base="patern"), "unknown setting 'patern'; did you mean 'pattern'"),
        ("quantity", dict(base="pattern", rsm=1), "unknown .*'pattern' 'rsm'; .* 'rms'"),
        ("iid", dict(n_clients=0), "n_clients must be a whole number of at least 1, got 0"),
        ("iid", dict(n_groups=0), "n_groups must be a whole number of at least 1, got 0"),
        ("iid", dict(n_groups=2.0), "n_groups must be a whole number"),
        ("pattern", dict(n_groups=7), "7 groups need at least as many clients, got 6"),
        ("iid", dict(seed=-1), "seed must be a whole number of at least 0, got -1"),
        ("iid", dict(samples_per_client=0), "samples_per_client must be a whole number"),
        ("iid", dict(test_per_client=0), "test_per_client must be a whole number of at least 1"),
        ("iid", dict(test_per_client=41), "41 test samples .* 240; .* each at most 40"),
        ("iid", dict(samples_per_client=101), "101 training .* 600; .* each at most 100"),
        ("classes", dict(samples_per_client=101), "6 clients of 101 .* each at most"),
    ],
)
def test_unusable_settings(tiny_dataset, setting, params, message):
    with pytest.raises(InputError, match=message):
        tiny(tiny_dataset, setting, **params)


def test_a_dataset_may_be_given_by_name():
    clients = make_clients("fashion-mnist-mini", "iid", 2, 1, samples_per_client=5)
    assert clients.dataset == "fashion-mnist-mini"
    assert clients.input_shape == (1, 28, 28)
    with pytest.raises(InputError, match="unknown dataset 'minst'"):
        make_clients("minst", "iid")


# --- groups of unequal size ---------------------------------------------------------------------


def test_groups_as_told(tiny_dataset):
    told = dict(samples_per_client=5, test_per_client=1, n_groups=3)
    clients = make_clients(tiny_dataset, "rotation", groups=[0, 0, 0, 1, 2, 2], **told)
    assert clients.groups.tolist() == [0, 0, 0, 1, 2, 2]
    in_turn = make_clients(tiny_dataset, "rotation", 6, **told)
    np.testing.assert_array_equal(clients[0].x, in_turn[0].x)  # group 0 either way
    np.testing.assert_array_equal(clients[5].x, in_turn[5].x)  # group 2 either way
    assert (clients[1].x != in_turn[1].x).any()


def test_an_empty_group_leaves_the_others_as_they_are(tiny_dataset):
    told = dict(samples_per_client=5, test_per_client=1, n_groups=4)
    merged = make_clients(tiny_dataset, "rotation", groups=[0, 1, 0, 1], **told)
    apart = make_clients(tiny_dataset, "rotation", groups=[0, 1, 2, 3], **told)
    for i in (0, 1):
        np.testing.assert_array_equal(merged[i].x, apart[i].x)
    with pytest.raises(InputError, match="each of groups must be a whole number of at least 0"):
        make_clients(tiny_dataset, "rotation", groups=[0, -1])
    with pytest.raises(InputError, match="each of groups must be a whole number"):
        make_clients(tiny_dataset, "rotation", groups=[0, 0.5])
    with pytest.raises(InputError, match="number of groups given must be"):
        make_clients(tiny_dataset, "rotation", groups=[])
    with pytest.raises(InputError, match="draw must be a whole number of at least 0"):
        make_clients(tiny_dataset, "rotation", draw=-1)
