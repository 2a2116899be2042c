"""Draws the pictures of the built-in data sets.

Two visual worlds. *Objects*: one filled shape on a busy ground; the class is in its outline. *Fields*: thin strokes that cover
the picture; the class is in their arrangement. Every picture follows from its class and its seed alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SIDE = 96
"""Side of every picture, pixels. Drawn at twice that and reduced, for smooth edges."""

_CANVAS = 2 * SIDE
Points = NDArray[np.float64]
"""An outline or a stroke, ``(points, 2)``; outlines lie within the unit disc."""


def polar(radius: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Points:
    """The outline whose distance from the centre is a function of the angle."""
    angle = np.linspace(0, 2 * math.pi, 96, endpoint=False)
    return np.asarray(np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius(angle)[:, None])


def _heart() -> Points:
    t = np.linspace(0, 2 * math.pi, 96, endpoint=False)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([16 * np.sin(t) ** 3, -y], axis=1) / 17


def _crescent() -> Points:
    outer, inner = np.linspace(0.75, 2 * math.pi - 0.75, 60), np.linspace(2 * math.pi - 1.05, 1.05, 60)
    a = np.stack([np.cos(outer), np.sin(outer)], axis=1)
    b = np.stack([0.34 + 0.8 * np.cos(inner), 0.8 * np.sin(inner)], axis=1)
    return np.concatenate([a, b])


def corners(*points: tuple[float, float]) -> Points:
    """The outline with these corners."""
    return np.array(points, np.float64)


TARGET_SHAPES: dict[str, Points] = {
    "arrow": corners((1, 0), (0.2, -0.7), (0.2, -0.25), (-1, -0.25), (-1, 0.25), (0.2, 0.25), (0.2, 0.7)),
    "bolt": corners((0.1, -1), (-0.6, 0.15), (-0.05, 0.15), (-0.25, 1), (0.6, -0.3), (0.05, -0.3), (0.45, -1)),
    "crescent": _crescent(),
    "gear": polar(lambda a: np.where(np.sin(8 * a) > 0, 1.0, 0.76)),
    "heart": _heart(),
    "house": corners((0, -1), (0.95, -0.15), (0.7, -0.15), (0.7, 0.9), (-0.7, 0.9), (-0.7, -0.15), (-0.95, -0.15)),
}
"""Outlines of the *similar* sets; the task that the ``starter`` weights were trained on contains none of them."""

FILLS = ("plain", "stripes", "dots", "checks")


def draw_object(outline: Points, fill: str, rng: np.random.Generator) -> Image.Image:
    """A shape on a busy ground, RGB, `SIDE` pixels a side.

    Outline, colours, position, size, rotation, shear, ground, clutter, blur and noise vary with ``rng``.
    """
    canvas = _ground(rng)
    ink = ImageDraw.Draw(canvas)
    for _ in range(rng.integers(2, 7)):
        _clutter(ink, rng)
    mask = Image.new("L", (_CANVAS, _CANVAS))
    ImageDraw.Draw(mask).polygon([tuple(point) for point in _place(outline, rng)], fill=255)
    canvas.paste(_pattern(fill, rng), mask=mask)
    for _ in range(rng.integers(0, 4)):
        _clutter(ImageDraw.Draw(canvas), rng)
    return _photograph(canvas, rng)


def draw_field(kind: str, rng: np.random.Generator) -> Image.Image:
    """A field of thin strokes of one of `FIELDS`, RGB, `SIDE` pixels a side."""
    paper = rng.integers(120, 256, 3)
    canvas = Image.new("RGB", (_CANVAS, _CANVAS), tuple(int(c) for c in paper))
    ink = tuple(int(c) for c in (paper * rng.uniform(0.25, 0.7)))
    pen = ImageDraw.Draw(canvas)
    turn, pitch = rng.uniform(0, 2 * math.pi), rng.uniform(11, 20)
    width = int(rng.integers(1, 4))
    for stroke in FIELDS[kind](pitch, rng):
        spun = _spin(stroke, turn) + _CANVAS / 2
        pen.line([tuple(point) for point in spun], fill=ink, width=width)
    return _photograph(canvas, rng)


def _waves(pitch: float, rng: np.random.Generator) -> list[Points]:
    phase = rng.uniform(0, 2 * math.pi)
    return _rows(pitch, lambda x: 0.38 * pitch * np.sin(2 * math.pi * x / (2.2 * pitch) + phase), rng)


def _zigzag(pitch: float, rng: np.random.Generator) -> list[Points]:
    shift = rng.uniform(0, 1)
    return _rows(pitch, lambda x: 0.38 * pitch * (4 * np.abs((x / (2.2 * pitch) + shift) % 1 - 0.5) - 1), rng)


def _scallops(pitch: float, rng: np.random.Generator) -> list[Points]:
    shift = rng.uniform(0, 1)
    return _rows(pitch, lambda x: 0.75 * pitch * (0.6 - np.abs(np.sin(math.pi * (x / (2.2 * pitch) + shift)))), rng)


def _drift(pitch: float, rng: np.random.Generator) -> list[Points]:
    """Lines that wander: the amplitude of the waves without their period."""
    lines = _rows(pitch, np.zeros_like, rng)
    return [line + np.stack([np.zeros(len(line)), _walk(len(line), 0.3 * pitch, rng)], axis=1) for line in lines]


def _bricks(pitch: float, rng: np.random.Generator) -> list[Points]:
    strokes = _rows(pitch, np.zeros_like, rng)
    for row, line in enumerate(strokes[:-1]):
        y = line[0, 1]
        for x in np.arange(-150 + (row % 2) * pitch, 150, 2 * pitch) + rng.normal(0, 0.08 * pitch):
            strokes.append(corners((x, y), (x, y + pitch)))
    return strokes


def _hatch(pitch: float, rng: np.random.Generator) -> list[Points]:
    """Short strokes in all directions."""
    count = int((300 / pitch) ** 2)
    centre, angle = rng.uniform(-140, 140, (count, 2)), rng.uniform(0, math.pi, count)
    half = 0.75 * pitch * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return [np.stack([a, b]) for a, b in zip(centre - half, centre + half, strict=True)]


FIELDS: dict[str, Callable[[float, np.random.Generator], list[Points]]] = {
    "bricks": _bricks,
    "drift": _drift,
    "hatch": _hatch,
    "scallops": _scallops,
    "waves": _waves,
    "zigzag": _zigzag,
}
"""Arrangements of the *different* target sets."""


def _rows(pitch: float, height: Callable[[NDArray[np.float64]], NDArray[np.float64]], rng: np.random.Generator) -> list[Points]:
    x = np.arange(-150, 150, 3.0)
    ys = np.arange(-150, 150, pitch)
    return [np.stack([x, y + height(x)], axis=1) for y in ys + rng.normal(0, 0.07 * pitch, len(ys))]


def _walk(length: int, spread: float, rng: np.random.Generator) -> NDArray[np.float64]:
    walk = np.convolve(rng.normal(size=length + 24), np.hanning(25), mode="valid")
    return np.asarray(spread * walk / (np.abs(walk).max() + 1e-9))


def _spin(points: Points, angle: float) -> Points:
    c, s = math.cos(angle), math.sin(angle)
    return np.asarray(points @ np.array([[c, s], [-s, c]]))


def _place(outline: Points, rng: np.random.Generator) -> Points:
    sides = zip(outline, np.roll(outline, -1, axis=0), strict=True)
    dense = np.concatenate([np.linspace(a, b, 6, endpoint=False) for a, b in sides])
    wobble = 1 + 0.05 * _walk(len(dense), 1.0, rng)[:, None]
    shear = np.array([[1, rng.normal(0, 0.16)], [0, rng.uniform(0.72, 1.0)]])
    size = rng.uniform(0.22, 0.42) * _CANVAS
    return _spin(dense * wobble @ shear, rng.uniform(0, 2 * math.pi)) * size + rng.uniform(0.36, 0.64, 2) * _CANVAS


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = rng.integers(20, 236, 3)
    return int(red), int(green), int(blue)


def _pattern(fill: str, rng: np.random.Generator) -> Image.Image:
    first, second = _colour(rng), _colour(rng)
    canvas = Image.new("RGB", (_CANVAS, _CANVAS), first)
    pen = ImageDraw.Draw(canvas)
    step = int(rng.integers(12, 24))
    if fill == "stripes":
        slope = rng.uniform(-1.5, 1.5)
        for x in range(-2 * _CANVAS, 3 * _CANVAS, step):
            pen.line([(x, 0), (x + slope * _CANVAS, _CANVAS)], fill=second, width=step // 2)
    for x, y in product(range(0, _CANVAS, step), repeat=2):
        if fill == "dots":
            pen.ellipse([x, y, x + step * 0.6, y + step * 0.6], fill=second)
        elif fill == "checks" and (x + y) // step % 2:
            pen.rectangle([x, y, x + step - 1, y + step - 1], fill=second)
    return canvas


def _ground(rng: np.random.Generator) -> Image.Image:
    """A blurred field of a few colours."""
    patches = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    mixed = (0.55 * patches + 0.45 * rng.integers(0, 256, 3)).astype(np.uint8)
    return Image.fromarray(mixed).resize((_CANVAS, _CANVAS), Image.Resampling.BICUBIC)


def _clutter(pen: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    x, y = rng.uniform(0, _CANVAS, 2)
    length, angle = rng.uniform(10, 50), rng.uniform(0, 2 * math.pi)
    if rng.random() < 0.5:
        end = (x + length * math.cos(angle), y + length * math.sin(angle))
        pen.line([(x, y), end], fill=_colour(rng), width=int(rng.integers(2, 9)))
    else:
        pen.ellipse([x, y, x + 0.5 * length, y + 0.4 * length], fill=_colour(rng))


def _photograph(canvas: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Reduced to `SIDE`, out of focus a little, unevenly lit, noisy."""
    small = canvas.resize((SIDE, SIDE), Image.Resampling.BOX)
    small = small.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.1)))
    x, y = np.meshgrid(np.linspace(-1, 1, SIDE), np.linspace(-1, 1, SIDE))
    light = rng.uniform(0.75, 1.15) + rng.normal(0, 0.14) * x + rng.normal(0, 0.14) * y
    pixels = np.asarray(small, np.float64) * light[:, :, None] + rng.normal(0, rng.uniform(3, 16), (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
