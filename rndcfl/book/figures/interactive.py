"""Figures that a reader can move: a control for each thing that the picture depends on."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets  # type: ignore[import-untyped]
from IPython.display import display
from matplotlib.figure import Figure
from traitlets import Unicode

from rndcfl.book import paths
from rndcfl.book.figures import style
from rndcfl.common.errors import InputError

Values = Sequence[Any] | Mapping[str, Any]


class _Picture(ipywidgets.Image):
    """An image whose tooltip is its text for screen readers: ipywidgets gives it no other.

    Without a description the tooltip of an image is an error in the browser (ipywidgets 8.1).
    """

    description = Unicode("").tag(sync=True)


def play(
    draw: Callable[..., Figure],
    alt: Callable[..., str],
    caption: str,
    start: Mapping[str, Any] | None = None,
    **controls: Values,
) -> None:
    """Show a figure and, where a reader can move them, controls for what it depends on.

    The figure for the controls' first values is shown in any case, so that runs without a reader
    and printed copies lose nothing; under the runner that is all. Otherwise a slider (numbers) or a
    menu (names) for each control stands below it. What is drawn when one is moved appears below
    them, and the first figure stays for comparison.

    Parameters
    ----------
    draw : control values by name -> figure.
    alt : control values by name -> what the picture shows, in words; for screen readers, and the
        line between controls and picture.
    caption : of the figure.
    start : first values of controls that do not begin with the first they can take.
    **controls : name of an argument of `draw` -> the values it can take, in order, or a dictionary
        from what the reader sees to the value. Underscores in the name are shown as spaces.

    Raises
    ------
    InputError
        If there is nothing to move, or nowhere to begin.
    """
    first = _first(controls, start or {})
    style.show(draw(**first), caption, alt(**first))
    if not paths.under_runner():
        display(_panel(draw, alt, controls, first))


def _first(controls: Mapping[str, Values], start: Mapping[str, Any]) -> dict[str, Any]:
    """The values to begin with."""
    if not controls:
        raise InputError("play needs a control to move, e.g. strength=[0, 1, 2]")
    for name in start:
        if name not in controls:
            raise InputError(f"start names {name!r}; controls are {', '.join(controls)}")
    first = {}
    for name, values in controls.items():
        allowed = list(_options(values).values())
        if not allowed:
            raise InputError(f"control {name!r} has no values")
        first[name] = start.get(name, allowed[0])
        if first[name] not in allowed:
            raise InputError(
                f"control {name!r} cannot start at {first[name]!r}; allowed: {allowed}"
            )
    return first


def _options(values: Values) -> dict[str, Any]:
    """What the reader sees -> value."""
    if isinstance(values, Mapping):
        return dict(values)
    return {f"{v:g}" if isinstance(v, float) else str(v): v for v in values}


def _panel(
    draw: Callable[..., Figure],
    alt: Callable[..., str],
    controls: Mapping[str, Values],
    first: Mapping[str, Any],
) -> ipywidgets.VBox:
    """Controls, a line in words, and a picture that is drawn when a control is moved."""
    movable = {name: _control(name, values, first[name]) for name, values in controls.items()}
    words = ipywidgets.HTML(_spoken(alt(**first)))
    picture = _Picture(format="png", layout={"display": "none", "max_width": "100%"})

    def redraw(_: Any) -> None:
        values = {name: control.value for name, control in movable.items()}
        figure, text = draw(**values), alt(**values)
        picture.value, picture.width = style.screen_picture(figure)
        picture.tooltip = text
        picture.layout.display = None
        words.value = _spoken(text)

    for control in movable.values():
        control.observe(redraw, "value")
    row = ipywidgets.HBox(list(movable.values()), layout={"flex_flow": "row wrap"})
    return ipywidgets.VBox([row, words, picture])


def _control(name: str, values: Values, first: Any) -> ipywidgets.Widget:
    """A menu for names, a slider for all else."""
    options = _options(values)
    kind = ipywidgets.Dropdown if isinstance(first, str) else ipywidgets.SelectionSlider
    return kind(
        options=list(options.items()),
        value=first,
        description=name.replace("_", " "),
        style={"description_width": "initial"},
        layout={"width": "auto", "min_width": "20em"},
    )


def _spoken(text: str) -> str:
    """A line that screen readers read out when it changes."""
    return f'<p role="status" aria-live="polite">{html.escape(text)}</p>'
