"""What `inspect` says of a folder of images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from ...search.data.groups import PARTED
from ...search.data.inspection import Duplicates, Inspection, Kind
from ..answer.dataset import imbalance, imbalance_sentence, rule_of_thumb
from ..answer.insight import Similarity
from ..text import and_more, count, file_size, listed, literal, looks
from .sentences import expectation

SHOWN = 8
"""Duplicates and skipped files: so many of them are named."""

_SPLITS = {"train": "training", "val": "validation", "test": "test", "all": "images"}


def headline(found: Inspection) -> str:
    """The outcome in a few words."""
    if found.problem:
        return "Cannot be searched on yet"
    return "Ready to search on" if not warnings(found) else "Ready to search on, with remarks"


def warnings(found: Inspection) -> list[str]:
    """What one should look at, in sentences, the worst first."""
    remarks = found.dataset.remarks if found.dataset else found.layout.remarks
    sentences = [literal(remark) for remark in remarks]
    labels, leaks, copies = (_of_kind(found.duplicates, kind) for kind in get_args(Kind))
    if labels:
        sentences.append(
            f"{count(len(labels), 'picture')} in more than one class: one of the labels is wrong, so a search uses neither."
        )
    if leaks:
        sentences.append(
            f"{count(len(leaks), 'picture')} in more than one split: a search keeps the one that is measured on, and "
            "leaves out the one that would be trained on."
        )
    if copies:
        sentences.append(f"{count(len(copies), 'picture')} more than once within a split: each is kept to one side of a split.")
    mixed, _, similar = (_of_kind(found.lookalikes, kind) for kind in get_args(Kind))
    if mixed:
        sentences.append(f"{count(len(mixed), 'picture')} with look-alikes in another class: see whether the labels are right.")
    if (tied := found.dataset and found.dataset.tied_images()) and tied.seen:
        sentences.append(
            f"{count(len(tied.seen), 'test image')} {looks(len(tied.seen))} like trained ones: a score on them proves little. "
            "The report also gives the scores without them."
        )
    if (similar or mixed) and not any(PARTED in remark for remark in remarks):
        number = sum(len(group.files) for group in (*similar, *mixed))
        sentences.append(f"{count(number, 'image')} look like another one: a split that is drawn keeps them on one side.")
    if found.doubts:
        sentences.append(f"{count(len(found.doubts), 'label')} may be wrong: look at these images.")
    unused = [file for file in found.skipped if not file.reason.startswith("the same picture")]
    if unused:
        sentences.append(f"{count(len(unused), 'file')} left out: see below why.")
    if found.unnamed:
        sentences.append(f"{count(found.unnamed, 'picture')} in the folder not named by the file of labels, and not used.")
    if found.remarks:
        sentences.append(f"{count(len(found.remarks), 'picture')} used though odd: see below why.")
    if 0 < found.depth < 16:
        sentences.append(
            f"The 16-bit greyscale images use {found.depth} bits at most: {(1 << found.depth) - 1:,} becomes white in all."
        )
    if found.dataset and (uneven := imbalance_sentence(found.dataset.settings())):
        sentences.append(uneven)
    return sentences


def _of_kind(groups: Sequence[Duplicates], kind: Kind) -> list[Duplicates]:
    return [group for group in groups if group.kind == kind]


def class_counts(found: Inspection) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Headings, and for each class its name, its images by split as a search uses them, and their sum.

    Where the folder cannot be searched on, the images as they lie in it.
    """
    if found.dataset is None:
        splits = sorted({split for counts in found.found.values() for split in counts}, key=list(_SPLITS).index)
        rows = [(name, *(counts.get(split, 0) for split in splits)) for name, counts in found.found.items()]
        columns = [_SPLITS[split] for split in splits]
    else:
        data = found.dataset
        parts = {"training": data.train, "validation": data.val, "test": data.test}
        columns = list(parts)
        rows = [
            (name, *(int((data.labels[part] == label).sum()) for part in parts.values()))
            for label, name in enumerate(data.classes)
        ]
    if len(columns) == 1:
        return ["class", *columns], rows
    return ["class", *columns, "total"], [(*row, sum(row[1:])) for row in rows]


def inspection_facts(found: Inspection, similarity: Similarity | None) -> Iterator[tuple[str, str]]:
    """Facts, each with its label; safe to print."""
    yield "Folder", literal(found.path)
    if found.layout.labels:
        yield "Labels", literal(str(found.layout.labels))
    if found.given:
        folders = [f"{literal(found.layout.splits[split])} ({_SPLITS[split]})" for split in found.given]
        made = "" if "val" in found.given else "; validation is cut from the training images"
        yield "Splits", f"{listed(folders)}{made}"
    else:
        yield "Splits", "none given: 70% training, 15% validation and 15% test images are drawn, each class in its proportion"
    if sizes := found.sizes:
        formats = listed([f"{number:,} {name}" for name, number in sizes.formats])
        (w0, w1, w2), (h0, h1, h2) = sizes.width, sizes.height
        yield "Sizes", f"{w1} × {h1} pixels at the median; widths {w0} to {w2}, heights {h0} to {h2}"
        yield "Files", f"{formats}; {file_size(sizes.file_bytes)}"
    if found.dataset:
        data = found.dataset.settings()
        yield "Balance", f"the largest class has {imbalance(data):.1f} times the training images of the smallest"
        yield "Rule of thumb", rule_of_thumb(data, similarity.profile.label if similarity else None).sentence
    if similarity:
        yield "Similarity", similarity.sentence
    if found.expected:
        yield "Expected", f"before any trial, {expectation(found.expected)}"
    if found.duplicates:
        same = [f"{' = '.join(map(literal, group.files))} ({group.kind})" for group in found.duplicates]
        yield f"Duplicates ({len(same)})", and_more(same, SHOWN)
    if found.lookalikes:
        same = [f"{' ≈ '.join(map(literal, group.files))} ({group.kind})" for group in found.lookalikes]
        yield f"Look-alikes ({len(same)})", and_more(same, SHOWN)
    if found.doubts is not None:
        doubted = [
            f"{literal(one.file)} ({literal(one.label)}; {literal(one.likely)} {one.probability:.0%})" for one in found.doubts
        ]
        yield f"Labels in doubt ({len(doubted)})", and_more(doubted, SHOWN) if doubted else "none"
    if found.remarks:
        odd = [f"{literal(path)} ({literal(remark)})" for path, remark in found.remarks.items()]
        yield f"Odd pictures ({len(odd)})", and_more(odd, SHOWN)
    if found.skipped:
        named = [f"{literal(file.path)} ({literal(file.reason)})" for file in found.skipped]
        yield f"Skipped files ({len(found.skipped)})", and_more(named, SHOWN)
