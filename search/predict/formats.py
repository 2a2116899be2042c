"""The formats that a model is exported in: what each can hold and what it needs installed."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

from ...spaces.errors import OptionError
from ..machine.devices import backend_name

Format = Literal["keras", "tflite", "onnx", "saved-model"]
Quantize = Literal["none", "float16", "int8"]

QUANTIZATIONS: tuple[Quantize, ...] = get_args(Quantize)


@dataclass(frozen=True, slots=True)
class FormatFacts:
    """What is to be known of a format.

    Attributes:
        suffix: Of its files; empty for a folder.
        runtime: What people load it with.
        quantize: Numbers that its weights may be stored as.
        packages: Distributions that writing and checking it needs beyond tlsearch's own dependencies.
    """

    suffix: str
    runtime: str
    quantize: tuple[Quantize, ...]
    packages: tuple[str, ...] = ()


# Keras itself quantizes Dense layers only (3.15), and those are less than a hundredth of MobileNetV2's work.
FORMATS: MappingProxyType[Format, FormatFacts] = MappingProxyType(
    {
        "keras": FormatFacts(".keras", "Keras", ("none",)),
        "tflite": FormatFacts(".tflite", "LiteRT", QUANTIZATIONS, ("ai-edge-litert",)),
        "onnx": FormatFacts(".onnx", "ONNX Runtime", ("none",), ("onnx", "tf2onnx", "onnxruntime")),
        "saved-model": FormatFacts("", "TensorFlow", ("none",)),
    }
)


def choose_format(out: Path, asked: Format | None, quantize: Quantize, *, with_resize: bool = False) -> Format:
    """The format of the file ``out``: as asked, or by its suffix.

    Raises:
        OptionError: Suffix, format, quantization and resize contradict each other, or none of them tells.
    """
    by_suffix = {facts.suffix: name for name, facts in FORMATS.items() if facts.suffix}
    suffix = out.suffix.lower()
    chosen = asked or by_suffix.get(suffix)
    if chosen is None:
        raise OptionError(f"OUT must end in {', '.join(by_suffix)}, or --format must be given, got {out}.")
    facts = FORMATS[chosen]
    if facts.suffix and suffix != facts.suffix:
        raise OptionError(f"OUT must end in {facts.suffix} where --format is {chosen}, got {out}.")
    if not facts.suffix and suffix in by_suffix:
        raise OptionError(f"OUT must be the name of a folder where --format is {chosen}, got {out}.")
    if quantize not in facts.quantize:
        able = [name for name, other in FORMATS.items() if quantize in other.quantize]
        raise OptionError(f"--quantize {quantize} is for --format {' or '.join(able)}, got {chosen}.")
    if with_resize and quantize == "int8":
        raise OptionError(
            "--with-resize is for --quantize none or float16, got int8: how pixels are weighted depends on each image's size, "
            "and is computed in floats. Leave one of them out."
        )
    return chosen


def check_installed(form: Format) -> None:
    """Checks that what the format needs is there, before any work is done for it.

    Raises:
        OptionError: Something is missing; the message names the extra.
    """
    # Each is imported by the name of its distribution.
    if missing := [name for name in FORMATS[form].packages if importlib.util.find_spec(name.replace("-", "_")) is None]:
        raise OptionError(
            f"--format {form} needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed. "
            "Install the extra: pip install 'tlsearch[export]'"
        )
    backend = backend_name()
    if form != "keras" and backend != "tensorflow":
        raise OptionError(f"--format {form} needs Keras' TensorFlow backend, got {backend}. Unset KERAS_BACKEND.")
