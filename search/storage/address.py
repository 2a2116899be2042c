"""Which database holds shared studies, and how to speak of it without its password."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from ...spaces.errors import OptionError

if TYPE_CHECKING:
    from sqlalchemy import URL

VARIABLE = "TLSEARCH_STORAGE"
"""Environment variable for the URL: an option's value can be read by everybody who may list processes."""

_DRIVERS: MappingProxyType[str, tuple[str, str, str]] = MappingProxyType(
    {
        "postgresql": ("postgresql+psycopg", "psycopg", "postgres"),
        "postgres": ("postgresql+psycopg", "psycopg", "postgres"),
        "mysql": ("mysql+pymysql", "pymysql", "mysql"),
        "mariadb": ("mysql+pymysql", "pymysql", "mysql"),
    }
)
"""The URL's scheme → SQLAlchemy's, the module that speaks to the database, and the extra that brings it."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A database. Its text never shows the password, nor what may hold another in the URL's query.

    Attributes:
        url: With the password.
    """

    url: URL = field(repr=False)

    def __str__(self) -> str:
        scheme = self.url.get_backend_name()
        return self.url.set(drivername=scheme, query={}).render_as_string(hide_password=True)

    def redact(self, text: str) -> str:
        """``text`` without the password, however it is spelt in it."""
        secrets = [self.url.password, *(str(value) for key, value in self.url.query.items() if "pass" in key.lower())]
        spellings = {
            spelt for secret in secrets if secret for spelt in (str(secret), quote(str(secret)), quote_plus(str(secret)))
        }
        for spelt in sorted(spellings, key=len, reverse=True):
            text = text.replace(spelt, "***")
        return text


def parse_storage(text: str) -> Storage:
    """The database that a URL names.

    Args:
        text: Such as ``postgresql://user:password@host/database``.

    Raises:
        OptionError: It is no such URL, or what speaks to the database is not installed. The message does not repeat the URL.
    """
    import importlib.util

    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    rule = "--storage must be a URL such as postgresql://user:password@host:5432/database"
    scheme = match[1].lower() if (match := re.match(r"([A-Za-z0-9]+)(\+[A-Za-z0-9]+)?://", text)) else ""
    if scheme == "sqlite":
        raise OptionError(
            f"{rule}, got an SQLite file, which only one driver can write. A study in a folder is one: leave it out."
        )
    if scheme not in _DRIVERS:
        got = f"{scheme}://" if scheme else "no URL" if text.strip() else "nothing"
        raise OptionError(f"{rule}, or begin with mysql://, got {got}.")
    name, module, extra = _DRIVERS[scheme]
    try:
        url = make_url(text).set(drivername=name)
    except (ArgumentError, ValueError):
        # Their texts quote parts of the URL.
        raise OptionError(
            f"{rule}, got one that cannot be read. In user and password write / : @ % # ? as %2F %3A %40 %25 %23 %3F."
        ) from None
    if importlib.util.find_spec(module) is None:
        raise OptionError(
            f"{scheme}:// needs the extra {extra}, got no {module} in this environment. "
            f"Install it with `pip install 'tlsearch[{extra}]'`, or in a checkout `pip install '.[{extra}]'`."
        )
    return Storage(url)


def chosen_storage(option: str | None) -> Storage | None:
    """The database that an option names, or else the environment variable `VARIABLE`; None where neither does.

    Raises:
        OptionError: As for `parse_storage`.
    """
    text = option if option is not None else os.environ.get(VARIABLE) or None
    return None if text is None else parse_storage(text)
