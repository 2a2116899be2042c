"""Puts a page together: one file that opens from disk and makes no request.

Text from the data is escaped twice: `text.literal` shows control characters (line breaks, changes of the writing direction) as
escapes, then Jinja2 escapes HTML. Besides, the page's Content-Security-Policy allows only the scripts and styles that the page
was made with, by their hashes, and forbids every request.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ... import __version__
from ...spaces.recipe import Technique
from ..text import literal
from .figure import Figure
from .pictures import SIDE

_AXIS = {
    "labelColor": "var(--muted)",
    "titleColor": "var(--muted)",
    "gridColor": "var(--line)",
    "domainColor": "var(--line)",
    "tickColor": "var(--line)",
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
    "titlePadding": 8,
}

CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": _AXIS,
    "text": {"color": "var(--ink)"},
}
"""Vega-Lite's configuration of every chart."""


def render(
    template: str, title: str, sections: Sequence[tuple[str, str]], figures: Sequence[Figure], values: Mapping[str, Any]
) -> str:
    """The page as HTML.

    Args:
        template: File name of the template.
        title: Title of the window.
        sections: Anchor and name of each section, for the navigation.
        figures: All charts of the page.
        values: Variables of the template; their texts are escaped.
    """
    templates = environment()
    css, scripts = _asset("page.css"), [_vega(), _asset("page.js")]
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))}",
            f"style-src {_hash(css)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return templates.get_template(template).render(
        title=title,
        sections=sections,
        policy=policy,
        css=Markup(css),  # noqa: S704
        scripts=[Markup(script) for script in scripts],  # noqa: S704
        figures=embedded({"config": CONFIG, "specs": {one.name: one.spec for one in figures}}),
        version=__version__,
        techniques=[str(technique) for technique in Technique],
        side=SIDE,
        **values,
    )


def environment() -> Environment:
    """The templates' environment, which makes every text literal and then escapes it."""
    return Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: literal(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )


def embedded(value: object) -> Markup:
    """JSON for a script element, which no text in ``value`` can end."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704


def _asset(name: str) -> str:
    source, _, _ = PackageLoader(__package__, "templates").get_source(Environment(autoescape=True), name)
    return source


@functools.cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, 0.9 MB, from the package that brings them."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    # Within a string this is the same text, and it cannot end the script element.
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
