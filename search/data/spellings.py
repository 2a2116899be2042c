"""Names of classes that differ only by case, surrounding spaces or Unicode form, as other systems and other people spell them.

They are one class. Single characters that lie beside each other in both cases, as in sets of handwritten letters, are not.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

_SHOWN = 5


def composed(name: str) -> str:
    """A name in Unicode's composed form, because archives made on a Mac bring names in the decomposed one."""
    return unicodedata.normalize("NFC", name)


def plain(name: str) -> str:
    """What the spellings of a name have in common."""
    return composed(name).strip().casefold()


@dataclass(frozen=True, slots=True)
class Spellings:
    """What names stand for.

    Attributes:
        classes: The class of each name, in composed form, that is not its own.
        folders: Names of the folders of each class that has others than its own.
        remarks: Which names are one class, in a sentence; none where nothing need be said.
    """

    classes: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, Collection[str]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def class_of(self, name: str) -> str:
        """The class that a name in composed form stands for."""
        return self.classes.get(name, name)


def one_spelling(parents: Iterable[Collection[str]], images: Mapping[str, int]) -> Spellings:
    """One spelling of each name.

    Args:
        parents: The names that lie side by side, of each folder that holds classes.
        images: Of each name in composed form: a class is called as most of its images are, without the spaces.
    """
    sides = [set(names) for names in parents]
    alike: dict[str, set[str]] = {}
    for name in set().union(*sides):
        alike.setdefault(plain(name), set()).add(name)
    classes: dict[str, str] = {}
    folders: dict[str, set[str]] = {}
    same = []
    for names in (alike[key] for key in sorted(alike) if key and len(alike[key]) > 1):
        twins = [names & side for side in sides if len(names & side) > 1]
        forms = sorted({composed(name) for name in names})
        if any(map(_are_characters, twins)):
            classes |= {name: name.strip() for name in forms}
            continue
        called = min(forms, key=lambda name: (-images.get(name, 0), name)).strip()
        classes |= dict.fromkeys(forms, called)
        folders[called] = names
        if len(forms) > 1 or twins:
            same.append(" = ".join(name if name == name.strip() else repr(name) for name in sorted(names)))
    return Spellings(classes, folders, (_remark(same),) if same else ())


def _are_characters(names: Iterable[str]) -> bool:
    """Whether names are different single characters."""
    stripped = {composed(name).strip() for name in names}
    return len(stripped) > 1 and all(len(name) == 1 for name in stripped)


def _remark(same: Collection[str]) -> str:
    more = f"; and {len(same) - _SHOWN:,} more" if len(same) > _SHOWN else ""
    shown = "; ".join([*same][:_SHOWN])
    return f"Classes whose names differ only by case, spaces or Unicode form are one: {shown}{more}."
