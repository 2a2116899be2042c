"""MobileNetV2 and where its weights come from: ImageNet, a file, the built-in ``starter``, or none (``random``)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import OptionError, WeightsError
from ..files import find_file
from ..quiet import quiet_native
from .network import Network, network_of
from .weights_file import first_line, load_weights

ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
"""Widths that ImageNet weights are published for."""

PUBLISHED_SIZES = (96, 128, 160, 192, 224)
"""Image sizes with an ImageNet file of their own, pixels; every other size uses the one for 224."""

MIN_SIZE, MAX_SIZE = 32, 1024
"""Pixels: MobileNetV2 halves its input five times; above 1024 a CPU step takes seconds."""

STARTER = Path(__file__).with_name("starter.npz")
"""Trained by ``scripts/pretrain_starter.py`` on a drawn source task: 96 px, α = 0.35."""

_RELEASE = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/"


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """A MobileNetV2 by its width, image size and weights.

    Attributes:
        alpha: Width multiplier, one of `ALPHAS`.
        size: Side of the square images, pixels, `MIN_SIZE` to `MAX_SIZE`.
        weights: ``imagenet``, ``starter``, ``random`` or the path of a file.

    Raises:
        OptionError: A value is out of range, or ``starter`` is asked for at another width than 0.35.
    """

    alpha: float
    size: int
    weights: str

    def __post_init__(self) -> None:
        if self.alpha not in ALPHAS:
            widths = ", ".join(map(str, ALPHAS))
            raise OptionError(f"--alpha must be one of {widths} (the widths with published weights), got {self.alpha}.")
        if not MIN_SIZE <= self.size <= MAX_SIZE:
            raise OptionError(
                f"--size must be from {MIN_SIZE} to {MAX_SIZE} pixels, got {self.size}. Common sizes: 96, 128, 160, 224."
            )
        if self.weights == "starter" and self.alpha != 0.35:
            raise OptionError(
                f"the starter weights exist for alpha 0.35 only, got {self.alpha}. "
                "Leave --alpha out, or use --weights imagenet."
            )

    def at_hand(self) -> bool:
        """Whether `locate` downloads nothing: true of all but ImageNet weights that Keras does not have yet."""
        return self.weights != "imagenet" or self.imagenet_file.is_file()

    @property
    def imagenet_file(self) -> Path:
        """Where Keras keeps ImageNet's weights for the size, or for 224 pixels where there are none for it."""
        folder = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
        return folder / _published_name(self.alpha, self.size if self.size in PUBLISHED_SIZES else 224)

    def other_imagenet_file(self) -> Path | None:
        """What `locate` takes where ImageNet's weights cannot be downloaded: those for another size; None without any.

        They are the same architecture trained at another resolution: far better than none.
        """
        others = (self.imagenet_file.with_name(_published_name(self.alpha, size)) for size in reversed(PUBLISHED_SIZES))
        return next((other for other in others if other.is_file()), None)

    def locate(self) -> Path | None:
        """The file that holds the weights, which Keras downloads if it must; None for ``random``.

        Raises:
            WeightsError: There is no such file, and it cannot be downloaded.
        """
        if self.weights == "random":
            return None
        if self.weights == "starter":
            return STARTER
        if self.weights == "imagenet":
            return _locate_imagenet(self)
        path, what = find_file(self.weights)
        if path is None:
            raise WeightsError(
                f"--weights must be imagenet, starter, random or a file of MobileNetV2 weights without top, "
                f"got {self.weights} ({what})."
            )
        return path


def weights_fingerprint(spec: BackboneSpec, path: Path | None) -> str:
    """Hash that tells one set of weights from another: of the file's bytes, or of the rule that draws random ones."""
    if path is None:
        return hashlib.blake2b(f"random, keras seed 0, alpha {spec.alpha}".encode(), digest_size=16).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def load_network(spec: BackboneSpec, path: Path | None) -> Network:
    """The backbone with its BatchNorm layers, its weights read from ``path`` (None: random, always the same).

    Raises:
        WeightsError: The file is damaged, or holds weights of something else.
    """
    import keras

    keras.utils.set_random_seed(0)
    base = keras.applications.MobileNetV2(
        input_shape=(spec.size, spec.size, 3), alpha=spec.alpha, include_top=False, weights=None
    )
    if path is not None:
        load_weights(base, path, spec.alpha)
    return network_of(base)


def _locate_imagenet(spec: BackboneSpec) -> Path:
    file = spec.imagenet_file
    name = file.name
    if file.is_file():
        return file
    with quiet_native():
        import keras
    try:
        # Keras shows the download's progress on the standard output, where a report may be expected.
        with contextlib.redirect_stdout(sys.stderr):
            return Path(keras.utils.get_file(name, _RELEASE + name, cache_subdir="models"))
    except Exception as error:
        if (other := spec.other_imagenet_file()) is not None:
            return other
        raise WeightsError(
            f"the ImageNet weights {name} are not in {file.parent} and could not be downloaded ({first_line(error)}). "
            f"Put the file there, or name one with --weights FILE, or use --weights random to start from nothing."
        ) from error


def _published_name(alpha: float, size: int) -> str:
    return f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{size}_no_top.h5"
