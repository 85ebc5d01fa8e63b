import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from rndcfl.book import figures
from rndcfl.book.figures.style import COLOURS

APART = np.array([[0, 1, 3, 3], [1, 0, 2, 3], [3, 2, 0, 1], [3, 3, 1, 0]], dtype=float)
GROUPS = np.array([0, 0, 1, 1])


def dots(ax):
    return {
        tuple(np.round(p - 0.5).astype(int))
        for line in ax.lines
        if line.get_marker() == "o"
        for p in line.get_xydata()
    }


@pytest.mark.parametrize("tolerance, inside, across", [(0.5, 0, 0), (1, 2, 0), (2, 2, 1)])
def test_compatibility_joins_whom_the_tolerance_joins(tolerance, inside, across):
    circle = figures.compatibility(APART, tolerance, np.zeros(4, int), GROUPS).axes[0]
    styles = [line.get_linestyle() for line in circle.lines if len(line.get_xdata()) == 2]
    assert (styles.count("-"), styles.count("--")) == (inside, across)


def test_compatibility_has_markers_of_groups_colours_and_dots_of_federations():
    circle, matrix = figures.compatibility(APART, 1, np.array([0, 0, 0, 1]), GROUPS).axes[:2]
    clients = [line for line in circle.lines if len(line.get_xdata()) == 1]
    assert [c.get_marker() for c in clients] == ["o", "o", "s", "s"]
    assert [to_hex(c.get_color()) for c in clients] == [*[COLOURS[0]] * 3, COLOURS[1]]
    assert dots(matrix) == {(i, j) for i in range(3) for j in range(3)} | {(3, 3)}
    assert np.ravel(matrix.collections[0].get_array()).tolist() == np.ravel(APART).tolist()


def test_skew_has_a_row_of_pictures_per_group_and_one_scale_for_all_strengths():
    i, j = np.indices((4, 4)).reshape(2, -1)
    pairs = pd.DataFrame(dict(i=i, j=j, group_i=i % 2, excess=APART[i, j], federation_i=i // 3))
    rows = [np.full((3, 1, 4, 5), 0.1), np.full((3, 1, 4, 5), 0.9)]
    left, right = figures.skew(pairs, rows, 2.5).axes[:2]
    drawn = left.images[0].get_array()
    assert drawn.shape == (8, 15)
    assert np.allclose(drawn[:4], 0.1) and np.allclose(drawn[4:], 0.9)
    assert [label.get_text() for label in right.get_xticklabels()] == ["0", "2", "1", "3"]
    assert right.collections[0].get_clim() == (0, 2.5)
    assert dots(right) == {(a, b) for a in range(3) for b in range(3)} | {(3, 3)}


def test_cadence_draws_the_chosen_clock_between_every_round_and_once():
    table = pd.DataFrame(
        [
            (
                tau,
                r,
                1.0 if r // tau * tau >= 2 or r < 2 else -0.4,
                5.0 * (1 + r // tau),
                r % tau == 0,
            )
            for tau in (1, 2, 3, 4)
            for r in range(4)
        ],
        columns=["every", "round", "ari", "mb", "asked"],
    )
    agreement, cost = figures.cadence(table, 3, 2).axes
    lines = {line.get_label(): line for line in agreement.lines}
    assert lines["every round"].get_ydata().tolist() == [1, 1, 1, 1]
    assert lines["once"].get_ydata().tolist() == [1, 1, -0.4, -0.4]
    assert lines["chosen"].get_ydata().tolist() == [1, 1, -0.4, 1]
    assert lines["discovery"].get_xdata().tolist() == [0, 3]
    assert lines["change"].get_xdata() == [2, 2]
    assert agreement.get_ylim()[0] < -0.4
    chosen = next(line for line in cost.lines if line.get_label() == "chosen")
    assert chosen.get_ydata().tolist() == [5, 5, 5, 10]
