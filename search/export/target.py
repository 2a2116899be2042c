"""The place that an export is written to: checked before, and taken at once when the export is whole."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path

from ...spaces.errors import OptionError
from ..predict.formats import FORMATS, Format
from ..predict.metadata import beside


def check_target(out: Path, form: Format, *, force: bool) -> None:
    """Checks that an export can be written to ``out``, and may be; changes nothing.

    Raises:
        OptionError: It cannot, or would overwrite something.
    """
    folder = out.parent
    if not folder.is_dir():
        raise OptionError(f"OUT must be in a folder that exists, got {out}. Make {folder} first.")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OptionError(f"OUT must be a place that can be written, got {out} ({error.strerror}).") from error
    is_folder = not FORMATS[form].suffix
    if out.is_dir():
        if not is_folder:
            raise OptionError(f"OUT must be a file, got {out} (a folder).")
        if any(out.iterdir()) and not (out / "saved_model.pb").is_file():
            # Also with --force: what is in it is not ours to delete.
            raise OptionError(f"OUT must be a new folder or that of a SavedModel, got {out}, which holds something else.")
    elif is_folder and out.exists():
        raise OptionError(f"OUT must be a folder, got {out} (a file).")
    if beside(out).is_dir():
        raise OptionError(f"{beside(out)} must be a file, got a folder. Name another OUT.")
    for path in (out, beside(out)):
        if not force and (path.is_file() or (path.is_dir() and any(path.iterdir()))):
            raise OptionError(f"{path} is there already. Name another OUT, or overwrite it with --force.")


def place(draft: Path, out: Path) -> None:
    """Moves a finished file or folder to its place on the same file system, over what is there.

    Raises:
        OSError: It cannot be moved.
    """
    if not out.is_dir():
        os.replace(draft, out)
        return
    # A folder cannot be replaced at once: the old one steps aside, and back where that fails.
    aside = out.with_name(f".{out.name}.{secrets.token_hex(4)}.old")
    os.rename(out, aside)
    try:
        os.rename(draft, out)
    except OSError:
        os.rename(aside, out)
        raise
    shutil.rmtree(aside)
