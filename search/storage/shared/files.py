"""The files of a shared study, in its database."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy import Connection as SqlConnection
from sqlalchemy.exc import IntegrityError

from ..base import StudyFiles, StudyPlace
from .connection import Connection
from .leases import Leases
from .tables import FILES, now


class SharedFiles(StudyFiles):
    """See `StudyFiles`.

    Args:
        place: Where the study is.
        connection: To its database.
        leases: Of this driver.
        study_id: Optuna's number of the study.
    """

    def __init__(self, place: StudyPlace, connection: Connection, leases: Leases, study_id: int) -> None:
        self._place = place
        self._connection = connection
        self._leases = leases
        self._study = study_id

    def read(self, name: str) -> bytes:
        rows = self._connection.rows(select(FILES.c.content).where(*self._is(name)))
        if not rows:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return bytes(rows[0].content)

    def write(self, files: Mapping[str, bytes], *, claim: str = "") -> bool:

        def attempt() -> bool:
            with self._connection.engine.begin() as sql:
                if claim and not self._leases.end(sql, claim):
                    # An earlier attempt may have been committed before the connection was lost.
                    return all(self._content(sql, name) == content for name, content in files.items())
                for name, content in files.items():
                    self._put(sql, name, content)
                return True

        while True:
            try:
                return self._connection.persist(attempt)
            except IntegrityError:
                continue  # another driver has made the same file at this moment: it is there now, and is replaced

    def names(self, folder: str) -> list[str]:
        return sorted(name for (name,) in self._connection.rows(select(FILES.c.name).where(*self._in(folder))))

    def where(self, name: str) -> str:
        return f"{name} of {self._place}"

    def total_bytes(self, folder: str) -> int:
        return sum(size for (size,) in self._connection.rows(select(func.length(FILES.c.content)).where(*self._in(folder))))

    def _put(self, sql: SqlConnection, name: str, content: bytes) -> None:
        replaced = update(FILES).where(*self._is(name)).values(content=content, changed=now())
        if not sql.execute(replaced).rowcount:
            sql.execute(insert(FILES).values(study_id=self._study, name=name, content=content, changed=now()))

    def _content(self, sql: SqlConnection, name: str) -> bytes | None:
        content: bytes | None = sql.execute(select(FILES.c.content).where(*self._is(name))).scalar()
        return content

    def _is(self, name: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return FILES.c.study_id == self._study, FILES.c.name == name

    def _in(self, folder: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return FILES.c.study_id == self._study, FILES.c.name.startswith(f"{folder}/", autoescape=True)
