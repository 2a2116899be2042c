"""Every error that a user of tlsearch can cause, as one tree.

A message states the rule, what was got, and the remedy. The command line prints it as one line and exits with
``exit_code``; anything that is not a `TlsearchError` is a bug and keeps its traceback.

::

    TlsearchError               2
    ├── SpaceError              2   a recipe, a search space or a space file out of bounds
    ├── WeightsError            2   pretrained weights missing, damaged or of another shape
    ├── DataError               2   a folder of images that cannot be searched on
    ├── StudyError              2   a study folder that is foreign, damaged, busy, or made for something else
    ├── ModelError              2   a model file that is none, that tlsearch did not export, or that holds code
    ├── OptionError             2   options that contradict each other or ask for what is not installed
    └── SearchFailedError       1   a search in which no trial succeeded
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
    """The study folder is foreign, damaged, in use, or was made for something else."""


class ModelError(TlsearchError):
    """A model file is none, is damaged, was not exported by tlsearch, or holds code."""


class OptionError(TlsearchError):
    """Options contradict each other, or ask for something that is not installed."""


class SearchFailedError(TlsearchError):
    """No trial of the search succeeded."""

    exit_code = 1
