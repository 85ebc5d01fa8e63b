"""Figures that can be moved, without a browser: what is shown, and what a moved control changes."""

import ipywidgets
import nbformat
import pytest
from IPython.display import Image, Markdown
from matplotlib.figure import Figure

from rndcfl.book import paths
from rndcfl.book.figures import interactive, style
from rndcfl.book.figures.interactive import play
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
    """What is displayed while the runner does not execute the notebook."""
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


def test_the_figure_comes_first_where_a_reader_is_there_too(shown):
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
