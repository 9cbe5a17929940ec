"""Equations as the demos write them, a line of Unicode each, typeset in HTML."""

from __future__ import annotations

import html
import re

LOWERED_OR_RAISED = re.compile(r"([_^])(?:\{([^{}]*)\}|(<?[A-Za-z0-9Α-ωϕ]+|[½⅓¼⅔]))")
# A letter that stands alone, with its hat or tilde; but no article: "a mixture".
VARIABLE = re.compile(r"((?<![A-Za-z])(?:a(?! [a-z]{2})|[b-z])(?![A-Za-z])|[α-ωϕ])([\u0300-\u036f]*)")


def typeset(equation: str) -> str:
    """The equation as HTML.

    ``x_i`` and ``W_{M+1}`` get subscripts, ``s^2`` and ``e^{−x}`` superscripts. Small letters that stand alone become
    italic. What stands three spaces apart comes on lines of its own. The rest stays as it was written.

    >>> typeset("w_k = p(x|z_k)")
    '<span><i>w</i><sub><i>k</i></sub> = <i>p</i>(<i>x</i>|<i>z</i><sub><i>k</i></sub>)</span>'
    >>> typeset("z ~ p(z);   a mean < b")
    '<span><i>z</i> ~ <i>p</i>(<i>z</i>);</span> <span>a mean &lt; <i>b</i></span>'
    """
    lines = [_scripts(line) for line in re.split(r" {3,}", equation.strip())]
    return " ".join(f"<span>{line}</span>" for line in lines)


def _scripts(text: str) -> str:
    """The text with its subscripts and superscripts."""
    parts, end = [], 0
    for found in LOWERED_OR_RAISED.finditer(text):
        mark, group, one = found.groups()
        tag = "sub" if mark == "_" else "sup"
        parts += [_letters(text[end : found.start()]), f"<{tag}>{_letters(group or one or '')}</{tag}>"]
        end = found.end()
    return "".join([*parts, _letters(text[end:])])


def _letters(text: str) -> str:
    """The text with its variables in italics; it contains no script."""
    return VARIABLE.sub(r"<i>\1\2</i>", html.escape(text, quote=False))
