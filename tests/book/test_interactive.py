"""Figures that can be moved, without a browser: what is shown, and what a moved control changes."""

import ipywidgets
import nbformat
import numpy as np
import pandas as pd
import pytest
from IPython.display import Image, Markdown
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from rndcfl.book import figures, paths
from rndcfl.book.figures import interactive, style
from rndcfl.book.figures.interactive import play
from rndcfl.book.figures.style import COLOURS
from rndcfl.book.provenance import fingerprint
from rndcfl.common.errors import InputError

PNG = b"\x89PNG"
WHO = dict(height=[1, 2, 4], kind={"a bar": "bar", "two bars": "bars"})


def bars(height, kind):
    figure = Figure(figsize=(2, 1))
    figure.subplots().bar(range(len(kind)), height)
    return figure


def words(height, kind):
    return f"{kind} of height {height} <tall>"


@pytest.fixture
def shown(monkeypatch):
    """What is displayed while nobody says that the runner executes the notebook."""
    monkeypatch.delenv(paths.OUTPUT_VARIABLE, raising=False)
    seen = []
    monkeypatch.setattr(style, "display", seen.append)
    monkeypatch.setattr(interactive, "display", seen.append)
    return seen


@pytest.fixture
def panel(shown):
    """The row of controls, the words and the picture of a figure with two controls."""
    play(bars, words, "Bars.", **WHO)
    return shown[-1].children


def test_under_the_runner_only_the_figure_is_shown(shown, monkeypatch, tmp_path):
    monkeypatch.setenv(paths.OUTPUT_VARIABLE, str(tmp_path))
    play(bars, words, "Bars.", **WHO)
    picture, caption = shown
    assert isinstance(picture, Image) and picture.data.startswith(PNG)
    assert picture.alt == "bar of height 1 <tall>"
    assert isinstance(caption, Markdown) and caption.data == "*Bars.*"


def test_the_figure_comes_first_where_somebody_is_there_too(shown):
    play(bars, words, "Bars.", start={"height": 4}, **WHO)
    picture, caption, controls = shown
    assert picture.alt == "bar of height 4 <tall>"
    assert caption.data == "*Bars.*"
    assert isinstance(controls, ipywidgets.VBox)


def test_numbers_slide_and_names_are_chosen(panel):
    height, kind = panel[0].children
    assert isinstance(height, ipywidgets.SelectionSlider)
    assert isinstance(kind, ipywidgets.Dropdown)
    assert (height.description, kind.description) == ("height", "kind")
    assert height.options == (("1", 1), ("2", 2), ("4", 4))
    assert kind.options == (("a bar", "bar"), ("two bars", "bars"))
    assert (height.value, kind.value) == (1, "bar")


def test_a_name_with_underscores_and_long_numbers_read_well(shown):
    play(lambda so_far: bars(1, "bar"), lambda so_far: "", "Bars.", so_far=[0.1 + 0.2, 2.0])
    (control,) = shown[-1].children[0].children
    assert control.description == "so far"
    assert [label for label, _ in control.options] == ["0.3", "2"]


def test_a_moved_control_changes_picture_and_words(panel):
    (height, kind), line, picture = panel[0].children, *panel[1:]
    assert picture.layout.display == "none"  # the figure above says the same
    assert "bar of height 1 &lt;tall&gt;" in line.value
    height.value = 2
    first = bytes(picture.value)
    assert first.startswith(PNG)
    assert picture.layout.display is None
    assert picture.width == str(96 * 2)
    assert "bar of height 2 &lt;tall&gt;" in line.value
    assert picture.tooltip == "bar of height 2 <tall>"
    kind.value = "bars"
    second = bytes(picture.value)
    assert second.startswith(PNG) and second != first
    assert "bars of height 2" in line.value
    kind.value = "bar"
    assert bytes(picture.value) == first


def test_two_figures_do_not_move_each_other(shown):
    play(bars, words, "Bars.", **WHO)
    play(bars, words, "Bars.", **WHO)
    one, other = (box.children for box in shown if isinstance(box, ipywidgets.VBox))
    one[0].children[0].value = 4
    assert other[0].children[0].value == 1
    assert "height 1" in other[1].value


@pytest.mark.parametrize(
    "given, says",
    [
        ({}, "needs a control"),
        (dict(height=[]), "'height' has no values"),
        (dict(height=[1, 2], start={"width": 1}), "start names 'width'; controls are height"),
        (
            dict(height=[1, 2], start={"height": 3}),
            r"'height' cannot start at 3; allowed: \[1, 2\]",
        ),
    ],
)
def test_nothing_to_move_and_nowhere_to_begin_are_errors(shown, given, says):
    with pytest.raises(InputError, match=says):
        play(bars, words, "Bars.", **given)
    assert shown == []


# --- the figures --------------------------------------------------------------------------------

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


# --- the notebooks ------------------------------------------------------------------------------


def test_no_result_depends_on_what_is_played_with(tmp_path):
    playing = []
    for name, path in paths.notebooks().items():
        notebook = nbformat.read(path, as_version=4)
        kept = [c for c in notebook.cells if "interactive" not in c.metadata.get("tags", [])]
        if len(kept) < len(notebook.cells):
            playing.append(name[:2])
        notebook.cells = kept
        nbformat.write(notebook, tmp_path / "without.ipynb")
        assert fingerprint.notebook_hash(tmp_path / "without.ipynb") == fingerprint.notebook_hash(
            path
        )
    assert playing == ["01", "02", "07", "11"]
