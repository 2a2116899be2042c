"""Names that would do something if they were taken for more than names."""

NAMES = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title><svg onload=alert(1)>",
    "&lt;b&gt;",
    "[bold red]markup[/]",
    "[/]",
    "[link=http://evil]x[/link]",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b2J",
    "a\rb\nc",
    "\u202egnp.exe",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "'; DROP TABLE trials; --",
    '"]\n[space]\nepochs = 1',
    "{SCHEMA_VERSION}{0}%s%(x)s${x}`id`",
    "| a | b |",
    "![x](javascript:alert(1))",
    "?mode=memory#&cache=shared",
]
"""Fit for a file's name, except that a slash must be left out of it."""


def as_file_name(name: str) -> str:
    """The name as one that a folder can have."""
    return name.replace("/", "\u2215")
