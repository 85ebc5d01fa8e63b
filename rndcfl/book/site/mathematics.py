"""Formulas for pages that load nothing: LaTeX as MathML, which browsers draw themselves."""

from __future__ import annotations

from html import escape

LONG = 40  # characters of LaTeX above which a formula in a line may need a box that scrolls


def formula(latex: str, display: bool = False) -> str:
    r"""HTML of a formula.

    Parameters
    ----------
    latex : without its dollars.
    display : on a line of its own.

    Returns
    -------
    MathML, or the source in dollars where it cannot be converted.

    >>> formula(r"\nonsense{")
    '<code class="tex">$\\nonsense{$</code>'
    """
    markup = _mathml(latex.strip(), "block" if display else "inline")
    if markup is None:
        dollars = "$$" if display else "$"
        return f'<code class="tex">{dollars}{escape(latex, quote=False)}{dollars}</code>'
    if display:
        return f'<span class="display">{markup}</span>'
    return f'<span class="long">{markup}</span>' if len(latex) > LONG else markup


def _mathml(latex: str, display: str) -> str | None:
    from latex2mathml.converter import convert

    try:
        markup = str(convert(latex, display=display))
    except Exception:  # its own errors share no base class, and odd input raises built-in ones too
        return None
    return None if "\\" in markup else markup  # a command that it does not know it leaves as it is
