"""What clients report: made, checked, pooled and packed."""

from dataclasses import replace

import numpy as np
import pytest

from rndcfl.common.errors import InputError, WireError
from rndcfl.novelty import LARGEST_ERROR, report
from rndcfl.reports import LARGEST_LOG, Report, Reports, report_bytes

N, M = 4, 3


def one(m=M, n=9, novelties=2, seed=0):
    """A report of one client, with whatever numbers."""
    rng = np.random.default_rng(seed)
    return Report.of(rng.standard_normal((m, n)), rng.random(novelties) + 0.1)


def alike(**parts):
    """Four clients that report the same, but for `parts`."""
    given = Reports(
        np.full(N, 100),
        np.zeros((N, M)),
        np.broadcast_to(np.eye(M), (N, M, M)).copy(),
        np.arange(M),
        np.ones((N, N)),
    )
    return replace(given, **parts)


def spoiled(part, value, i=1):
    array = getattr(alike(), part).copy()
    array[i] = value
    return alike(**{part: array})


# --- one client's -------------------------------------------------------------------------------


@pytest.mark.parametrize("m, n", [(1, 2), (3, 9), (4, 1)])
def test_a_report_holds_the_mean_and_the_covariance_over_the_samples(m, n):
    functions = np.random.default_rng(0).standard_normal((m, n))
    made = Report.of(functions)
    assert made.samples == n and not len(made.novelty) and made.noise == 0
    np.testing.assert_allclose(made.profile, functions.mean(1))
    expected = np.cov(functions).reshape(m, m) if n > 1 else np.zeros((m, m))
    np.testing.assert_allclose(made.covariance, expected)


@pytest.mark.parametrize("m, novelties", [(3, 2), (5, 0), (0, 4), (1, 1)])
def test_what_a_report_weighs_is_what_is_packed_and_the_number_of_samples(m, novelties):
    made = one(m, novelties=novelties)
    samples = 8
    assert made.n_bytes == made.pack().nbytes + samples
    assert made.n_bytes == report_bytes(novelties, m)


@pytest.mark.parametrize("m, novelties", [(3, 2), (5, 0), (0, 4), (1, 1)])
def test_what_is_packed_is_unpacked_to_the_bit(m, novelties):
    sent = one(m, novelties=novelties)
    received = Report.unpack(sent.samples, sent.pack(), novelties, m)
    assert received.samples == sent.samples and received.noise == 0
    for part in ("profile", "novelty"):
        np.testing.assert_array_equal(getattr(received, part), getattr(sent, part))
    upper = np.triu_indices(m)
    np.testing.assert_array_equal(received.covariance[upper], sent.covariance[upper])
    np.testing.assert_array_equal(received.covariance, received.covariance.T)


def test_rows_are_packed_as_novelty_profile_and_the_upper_half():
    made = Report(5, np.array([1.0, 2]), np.array([[3.0, 4], [4, 5]]), np.array([6.0]))
    assert made.pack().tolist() == [6, 1, 2, 3, 4, 5]


def with_entry(k, value):
    def spoil(row):
        row = row.copy()
        row[k] = value
        return row

    return spoil


@pytest.mark.parametrize(
    "spoil, says",
    [
        (lambda row: row.astype(np.float32), "float64 .*, got float32"),
        (lambda row: row[1:], r"float64 \[11\], got float64 \[10\]"),
        (lambda row: row[None], r"got float64 \[1, 11\]"),
        (with_entry(7, np.nan), "NaN"),
        (with_entry(0, np.inf), "infinite"),
        (with_entry(1, 0.0), "not positive"),
        (with_entry(0, -1.0), "not positive"),
        (with_entry(5, -1.0), "negative variance"),  # 2 novelties and 3 means come before
        (with_entry(10, -1.0), "negative variance"),
    ],
)
def test_what_is_no_row_is_refused(spoil, says):
    with pytest.raises(WireError, match=says):
        Report.unpack(9, spoil(one().pack()), 2, M)


# --- what cannot be -----------------------------------------------------------------------------

IMPOSSIBLE = [
    ("novelty", np.nan, "NaN"),
    ("profile", np.inf, "NaN"),
    ("covariance", np.nan, "NaN"),
    ("samples", 1, "too few"),
    ("novelty", -1.0, "beyond"),
    ("profile", 1e4, "beyond"),
    ("covariance", 1e9 * np.eye(M), "none"),
    ("covariance", -np.eye(M), "semidefinite"),
    ("covariance", [[1, 2, 0], [0, 1, 0], [0, 0, 1]], "none"),
    ("covariance", [[1, 2, 0], [2, 1, 0], [0, 0, 1]], "semidefinite"),
]


@pytest.mark.parametrize("part, value, reason", IMPOSSIBLE)
def test_what_no_honest_client_can_have_sent_is_named(part, value, reason):
    given = spoiled(part, value)
    assert reason in given[1].impossible()
    assert [given[i].impossible() for i in (0, 2, 3)] == [""] * 3


@pytest.mark.parametrize("part, value, reason", IMPOSSIBLE)
def test_whoever_sends_it_has_an_honest_clients_report_for_the_arithmetic(part, value, reason):
    checked = spoiled(part, value).checked()
    assert list(checked.refused) == [1] and reason in checked.refused[1]
    assert checked.accepted.tolist() == [0, 2, 3]
    assert np.isnan(checked.novelty[1]).all()
    honest = alike()
    for name in ("samples", "profile", "covariance"):
        np.testing.assert_array_equal(getattr(checked, name), getattr(honest, name))
    np.testing.assert_array_equal(checked.novelty[[0, 2, 3]], honest.novelty[[0, 2, 3]])


def test_one_sample_is_enough_for_novelty_alone():
    assert one(m=0, n=1).impossible() == ""
    assert "too few" in replace(one(m=0), samples=0).impossible()


@pytest.mark.parametrize("error", [0.0, 1e-300, 1e12, np.inf])
@pytest.mark.parametrize("samples", [slice(None), 0], ids=["all", "one"])
def test_no_predictor_can_make_an_honest_report_be_refused(error, samples):
    """Whatever errors somebody's predictor makes, on all samples or on one."""
    errors = np.abs(np.random.default_rng(0).standard_normal((M, 50)))
    errors[1, samples] = error
    own = report(errors, np.arange(M))
    assert own.impossible() == ""
    assert own.novelty.max() <= LARGEST_ERROR and np.abs(own.profile).max() <= LARGEST_LOG


def test_honest_reports_stay_as_they_are():
    given = alike()
    assert given.checked() is given
    assert given.accepted.tolist() == [0, 1, 2, 3]


def test_who_was_refused_before_stays_refused_for_the_first_reason():
    given = replace(spoiled("profile", np.nan, 2), refused={0: "its predictor", 2: "its predictor"})
    once = given.checked()
    assert once.refused == {0: "its predictor", 2: "its predictor"}
    assert once.accepted.tolist() == [1, 3]
    assert once.checked().refused == once.refused


def test_nobody_left_is_an_error():
    with pytest.raises(InputError, match="nobody's report can be used: why"):
        alike(refused=dict.fromkeys(range(N), "why")).checked()


def test_reports_without_novelty_are_checked_too():
    checked = replace(spoiled("profile", np.nan), novelty=None).checked()
    assert list(checked.refused) == [1] and checked.novelty is None


# --- many clients' ------------------------------------------------------------------------------


def test_reports_are_rows_one_after_the_other():
    rows = [one(seed=i) for i in range(2)]
    rows[1] = replace(rows[1], samples=7)
    every = Reports.of(iter(rows), 2, np.array([0, 1, -1]), share=0.8)
    assert len(every) == 2 and every.samples.tolist() == [9, 7] and every.share == 0.8
    assert every.noise is None and every.refused == {}
    for row, again in zip(rows, every, strict=True):
        assert row.samples == again.samples and again.noise == 0
        for part in ("profile", "covariance", "novelty"):
            np.testing.assert_array_equal(getattr(row, part), getattr(again, part))


def test_what_is_not_sent_is_none_and_noise_is_kept():
    rows = [replace(one(novelties=0), noise=0.25 * (i + 1)) for i in range(3)]
    every = Reports.of(rows, 3, np.arange(M))
    assert every.novelty is None
    assert every.noise.tolist() == [0.25, 0.5, 0.75]
    assert every[1].noise == 0.5 and not len(every[1].novelty)
    assert every[[2, 0]].noise.tolist() == [0.75, 0.25]


def test_a_clients_report_is_its_own_to_change():
    given = alike()
    for part in ("profile", "covariance", "novelty"):
        getattr(given[0], part)[:] = 9
    assert (given.novelty == 1).all() and not given.profile.any()
    np.testing.assert_array_equal(given.covariance[0], np.eye(M))


def test_of_several_clients_the_peers_among_them_are_numbered_anew():
    given = alike(peers=np.array([3, 0, 2]), samples=np.arange(100, 104), share=0.5)
    some = given[np.array([2, 3])]
    assert some.samples.tolist() == [102, 103] and some.share == 0.5
    assert some.peers.tolist() == [1, -1, 0]
    assert given[1:].peers.tolist() == [2, -1, 1]
    assert given[given.samples < 102].peers.tolist() == [-1, 0, -1]


def test_replaced_reports_leave_the_others_and_what_is_known_of_all():
    given = alike(refused={3: "why"}, share=0.5)
    changed = given.replaced({1: replace(given[1], samples=7, profile=np.ones(M))})
    assert changed.samples.tolist() == [100, 7, 100, 100]
    assert changed.profile.sum(1).tolist() == [0, M, 0, 0]
    assert (changed.refused, changed.share) == ({3: "why"}, 0.5)
    assert given.samples.tolist() == [100] * N


# --- federations' -------------------------------------------------------------------------------


@pytest.fixture
def own():
    """The functions' values on the samples of three clients, and their reports."""
    rng = np.random.default_rng(0)
    values = [rng.standard_normal((M, n)) + n for n in (7, 5, 9)]
    return values, Reports.of(map(Report.of, values), 3, np.arange(M))


def assert_same(found, values):
    expected = Report.of(values)
    assert found.samples == expected.samples
    np.testing.assert_allclose(found.profile, expected.profile)
    np.testing.assert_allclose(found.covariance, expected.covariance)


def test_a_federation_pools_its_members_samples(own):
    values, reports = own
    pooled = reports.pooled(np.array([0, 1, 0]))
    assert_same(pooled[0], np.hstack([values[0], values[2]]))
    assert_same(pooled[1], values[1])
    assert pooled.peers.tolist() == [-1] * M and pooled.samples.dtype == np.int64


def test_federations_grow_and_new_ones_are_founded(own):
    values, reports = own
    known = reports[:2].added_to(None, np.array([0, 0]), 1)
    assert_same(known[0], np.hstack(values[:2]))
    known = reports[[2]].added_to(known, np.array([1]), 2)
    assert_same(known[0], np.hstack(values[:2]))
    assert_same(known[1], values[2])


def test_a_federation_without_a_member_is_that_of_the_others(own):
    values, reports = own
    everybody = reports.pooled(np.zeros(3, dtype=int))
    left = everybody[[0, 0]].less(reports[[2, 1]])
    assert_same(left[0], np.hstack(values[:2]))
    assert_same(left[1], np.hstack([values[0], values[2]]))


def test_more_clients_are_pooled_than_are_added_at_a_time():
    values = np.random.default_rng(0).standard_normal((2100, 2, 3))
    reports = Reports.of(map(Report.of, values), len(values), np.arange(2))
    labels = np.arange(2100) % 2
    for f, found in enumerate(reports.pooled(labels)):
        assert_same(found, np.hstack(list(values[labels == f])))
