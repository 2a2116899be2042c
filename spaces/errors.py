"""Every error that a user of tlsearch can cause, as one tree.

A message states the rule, what was got, and the remedy. The command line prints it as one line and exits with
``exit_code``; anything that is not a `TlsearchError` is a bug and keeps its traceback.
"""

from __future__ import annotations


class TlsearchError(Exception):
    """Root of the tree; never raised itself."""

    exit_code = 2


class SpaceError(TlsearchError, ValueError):
    """A recipe, a search space or a space file is out of bounds."""


class WeightsError(TlsearchError):
    """Pretrained weights are missing, damaged or of another shape than the backbone."""


class DataError(TlsearchError):
    """The folder of images cannot be searched on."""


class StudyError(TlsearchError):
    """The study folder is foreign, in use, or was made for something else; or it cannot be written."""


class UnusedStudyError(StudyError):
    """The study was made for another search, and has no trial: nothing is lost where it is deleted."""


class DamagedStudyError(StudyError):
    """A study's files cannot be read. What is still sound in them can be reported.

    Args:
        path: Folder of the study, or its name and database.
        what: Which file, and what is wrong with it.
    """

    def __init__(self, path: object, what: str) -> None:
        super().__init__(
            f"the study in {path} is damaged: {what}. Nothing was changed. `tlsearch report` shows what can still be read; "
            "restore it from a copy, name another folder with --study, or start it anew with --fresh."
        )
        self.what = what


class StorageError(StudyError):
    """A database of shared studies refuses, is no such database, or was away for too long."""


class ModelError(TlsearchError):
    """A model file is none, is damaged, was not exported by tlsearch, or holds code."""


class OptionError(TlsearchError):
    """Options contradict each other, or ask for something that is not installed."""


class SearchFailedError(TlsearchError):
    """No trial of the search succeeded."""

    exit_code = 1
