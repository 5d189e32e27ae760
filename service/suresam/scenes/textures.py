"""Surface patterns for procedural scenes: grey textures, and materials that colour them."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]

TEXTURE_SIZE = 256
NUM_TEXTURES = 182
_BANK_SEED = 20_251_121


@dataclass(frozen=True, slots=True)
class Material:
    """How a surface looks before light falls on it.

    Attributes:
        dark, bright: RGB in [0, 1] between which the texture mixes.
        texture: index into the bank, below `NUM_TEXTURES`.
        angle: rotation of the texture in degrees.
        scale: scene sides that the texture's side covers.
        mottle: how far large soft patches lighten and darken the surface, in e-folds; 0 to 1.
    """

    dark: tuple[float, float, float]
    bright: tuple[float, float, float]
    texture: int
    angle: float
    scale: float
    mottle: float

    def tinted(self, rng: np.random.Generator, amount: float) -> "Material":
        """The same surface, its colours moved together by up to `amount` a channel."""
        shift = rng.uniform(-amount, amount, 3) * 0.5 + rng.uniform(-amount, amount)
        return replace(
            self, dark=_colour(np.array(self.dark) + shift), bright=_colour(self.bright + shift)
        )

    def turned(self, rng: np.random.Generator) -> "Material":
        """The same colours under another direction or size of the pattern."""
        if rng.random() < 0.5:
            return replace(self, angle=self.angle + rng.uniform(40, 140))
        return replace(self, scale=self.scale * float(rng.choice([0.4, 0.55, 1.9, 2.6])))


def random_material(
    rng: np.random.Generator, palette: list[tuple[float, float, float]]
) -> Material:
    """A surface whose base colour is near one of the palette's."""
    base = np.array(palette[rng.integers(len(palette))]) + rng.normal(0, 0.06, 3)
    contrast = rng.choice([0.06, 0.15, 0.3, 0.55, 0.8], p=[0.22, 0.3, 0.26, 0.16, 0.06])
    chroma = rng.choice([0.15, 0.5], p=[0.7, 0.3])
    delta = np.full(3, contrast) + rng.normal(0, chroma * contrast, 3)
    return Material(
        dark=_colour(base - delta / 2),
        bright=_colour(base + delta / 2),
        texture=int(rng.integers(NUM_TEXTURES)),
        angle=float(rng.uniform(0, 360)),
        scale=float(np.exp(rng.uniform(np.log(0.25), np.log(1.8)))),
        mottle=float(rng.choice([0.0, 0.25, 0.6, 1.0], p=[0.3, 0.35, 0.25, 0.1])),
    )


def random_palette(rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Two to six base colours; in some scenes they are close together, as in camouflage."""
    spread = float(rng.choice([0.05, 0.18, 1.0], p=[0.15, 0.25, 0.6]))
    hue, value = rng.random(), rng.uniform(0.35, 0.8)
    colours = []
    for _ in range(rng.integers(2, 7)):
        h = (hue + rng.uniform(-0.5, 0.5) * spread) % 1.0
        s = rng.beta(1.2, 3.8)
        v = np.clip(value + rng.uniform(-0.55, 0.55) * max(spread, 0.35), 0.04, 0.97)
        rgb = np.clip(np.abs(np.mod(h * 6.0 + np.array([0.0, 4.0, 2.0]), 6.0) - 3.0) - 1.0, 0, 1)
        colours.append(_colour(v * (1 - s * (1 - rgb))))
    return colours


def fill(
    material: Material, height: int, width: int, size: int, rng: np.random.Generator
) -> FloatImage:
    """A patch of the material with a random phase.

    Args:
        height, width: size of the patch in pixels.
        size: side of the whole scene in pixels, which fixes the pattern's scale.

    Returns:
        (height, width, 3) float32 RGB, about [0, 1].
    """
    step = TEXTURE_SIZE / (material.scale * size)
    turn = np.deg2rad(material.angle)
    cos, sin = np.cos(turn) * step, np.sin(turn) * step
    x, y = rng.uniform(0, TEXTURE_SIZE, 2)
    to_texture = np.array([[cos, -sin, x], [sin, cos, y]])
    grey = cv2.warpAffine(
        texture_bank()[material.texture],
        to_texture,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_WRAP,
    )
    dark = np.array(material.dark, np.float32)
    bright = np.array(material.bright, np.float32)
    colour = dark + grey[..., None] * (bright - dark)
    if material.mottle > 0:
        zoom = float(np.exp(rng.uniform(np.log(0.3), np.log(1.6))))
        patches = soft_window(height, width, size, zoom, rng)
        colour *= np.exp(material.mottle * (patches - 0.5))[..., None]
    return np.asarray(colour, np.float32)


def soft_window(
    height: int, width: int, size: int, zoom: float, rng: np.random.Generator
) -> FloatImage:
    """A window into a smooth random field, (height, width) float32 in [0, 1].

    Args:
        size: side of the whole scene in pixels.
        zoom: sides of the field that fit into the scene's side; below 1 is calmer.
    """
    field = soft_noise()[rng.integers(len(soft_noise()))]
    step = zoom * TEXTURE_SIZE / size
    x, y = rng.uniform(0, TEXTURE_SIZE, 2)
    window = cv2.warpAffine(
        field,
        np.array([[step, 0, x], [0, step, y]]),
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_WRAP,
    )
    return np.asarray(window, np.float32)


@lru_cache(maxsize=1)
def texture_bank() -> FloatImage:
    """All textures: (NUM_TEXTURES, TEXTURE_SIZE, TEXTURE_SIZE) float32 in [0, 1], each tileable."""
    rng = np.random.default_rng(_BANK_SEED)
    makers = (
        _noise, _noise, _fur, _fur, _spots, _stripes, _cells, _grid, _flat,
        _leaves, _leaves, _strokes, _strokes, _ripples,
    )  # fmt: skip
    skews = (0.5, 1.0, 1.0, 2.0)  # surfaces have more shade than highlights, or the reverse
    return np.stack(
        [_levelled(makers[i % len(makers)](rng), skews[i % 4]) for i in range(NUM_TEXTURES)]
    )


@lru_cache(maxsize=1)
def soft_noise() -> FloatImage:
    """Smooth random fields for borders and shadows: (32, TEXTURE_SIZE, TEXTURE_SIZE), [0, 1]."""
    rng = np.random.default_rng(_BANK_SEED + 1)
    return np.stack([_levelled(_spectral(rng, s, 1.0, 0.0)) for s in rng.uniform(3.6, 5.2, 32)])


def _colour(values: NDArray[np.float64]) -> tuple[float, float, float]:
    r, g, b = np.clip(values, 0.0, 1.0)
    return float(r), float(g), float(b)


def _levelled(grey: NDArray[np.float64], skew: float = 1.0) -> FloatImage:
    spread = max(float(grey.std()), 1e-6)
    levelled = np.clip(0.5 + 0.22 * (grey - grey.mean()) / spread, 0, 1)
    if skew != 1.0:
        levelled = levelled**skew
    return np.asarray(levelled, np.float32)


def _spectral(
    rng: np.random.Generator, slope: float, stretch: float, turn: float, lowest: float = 0.0
) -> NDArray[np.float64]:
    """Noise whose amplitude falls as frequency to the power -slope/2, stretched along `turn`."""
    f = np.fft.fftfreq(TEXTURE_SIZE) * TEXTURE_SIZE
    fx, fy = np.meshgrid(f, f)
    u = (fx * np.cos(turn) + fy * np.sin(turn)) * stretch
    v = -fx * np.sin(turn) + fy * np.cos(turn)
    radius = np.hypot(u, v)
    amplitude = np.where(radius > lowest, np.maximum(radius, 1.0) ** (-slope / 2), 0.0)
    amplitude[0, 0] = 0.0
    white = np.fft.fft2(rng.standard_normal((TEXTURE_SIZE, TEXTURE_SIZE)))
    return np.asarray(np.fft.ifft2(white * amplitude).real)


def _noise(rng: np.random.Generator) -> NDArray[np.float64]:
    return _spectral(rng, rng.uniform(0.6, 3.4), 1.0, 0.0)


def _fur(rng: np.random.Generator) -> NDArray[np.float64]:
    return _spectral(rng, rng.uniform(1.0, 2.6), rng.uniform(3, 10), rng.uniform(0, np.pi))


def _spots(rng: np.random.Generator) -> NDArray[np.float64]:
    fine = _spectral(rng, 5.0, 1.0, 0.0, lowest=rng.uniform(4, 20))
    return np.asarray(np.tanh(rng.uniform(0.8, 6.0) * fine / fine.std()))


def _stripes(rng: np.random.Generator) -> NDArray[np.float64]:
    bend = _spectral(rng, 3.2, 1.0, 0.0)
    y, x = np.mgrid[:TEXTURE_SIZE, :TEXTURE_SIZE] / TEXTURE_SIZE
    kx, ky = rng.integers(0, 12), rng.integers(4, 20)
    wave = np.sin(2 * np.pi * (kx * x + ky * y) + rng.uniform(0, 1.6) * bend / bend.std())
    return np.asarray(np.tanh(rng.uniform(0.6, 5.0) * wave)) + 0.3 * _noise(rng)


def _cells(rng: np.random.Generator) -> NDArray[np.float64]:
    seeds = np.full((3 * TEXTURE_SIZE, 3 * TEXTURE_SIZE), 255, np.uint8)
    tile = np.full((TEXTURE_SIZE, TEXTURE_SIZE), 255, np.uint8)
    places = rng.integers(0, TEXTURE_SIZE, (int(rng.integers(30, 400)), 2))
    tile[places[:, 0], places[:, 1]] = 0
    seeds[:] = np.tile(tile, (3, 3))
    distance, label = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    middle = slice(TEXTURE_SIZE, 2 * TEXTURE_SIZE)
    if rng.random() < 0.5:
        return np.asarray(distance[middle, middle], np.float64)
    shades = rng.random(int(label.max()) + 1)
    return np.asarray(shades[label[middle, middle]])


def _grid(rng: np.random.Generator) -> NDArray[np.float64]:
    rows, columns = int(rng.integers(4, 20)), int(rng.integers(4, 20))
    y, x = np.mgrid[:TEXTURE_SIZE, :TEXTURE_SIZE] / TEXTURE_SIZE
    row = np.floor(y * rows).astype(int)
    shift = 0.5 * (row % 2) if rng.random() < 0.5 else 0.0
    column = np.floor(x * columns + shift).astype(int) % columns
    if rng.random() < 0.5:
        return np.asarray(rng.random((rows, columns))[row, column])
    gap = rng.uniform(0.08, 0.2)
    joint = ((y * rows) % 1 < gap) | ((x * columns + shift) % 1 < gap)
    return np.asarray(joint + 0.3 * rng.random((rows, columns))[row, column])


def _flat(rng: np.random.Generator) -> NDArray[np.float64]:
    plain = _spectral(rng, 4.0, 1.0, 0.0)
    return np.asarray(plain / (8 * plain.std()) + rng.standard_normal(plain.shape) * 0.01)


def _leaves(rng: np.random.Generator) -> NDArray[np.float64]:
    """Opaque discs of all sizes thrown on each other: the dead-leaves model of natural pictures.

    Source: Lee, Mumford and Huang, IJCV 41 (2001): sizes by an inverse cube law.
    """
    tile = np.zeros((TEXTURE_SIZE, TEXTURE_SIZE), np.float32)
    smallest = rng.uniform(1.5, 5.0)
    press, turn = rng.uniform(0.3, 1.0), rng.uniform(0, 180)
    for _ in range(2500):
        radius = min(smallest / math.sqrt(1 - rng.random()), 40.0)
        # Two numbers rather than an array of two, here and below: as many draws, twice as fast.
        x, y = int(rng.integers(TEXTURE_SIZE)), int(rng.integers(TEXTURE_SIZE))
        axes = (max(int(radius), 1), max(int(radius * press), 1))
        angle, shade = turn + rng.normal(0, 30), rng.random()
        for dx in _copies(x, x, axes[0] + 2):
            for dy in _copies(y, y, axes[0] + 2):
                cv2.ellipse(tile, (x + dx, y + dy), axes, angle, 0, 360, shade, -1)
    return np.asarray(tile, np.float64)


def _strokes(rng: np.random.Generator) -> NDArray[np.float64]:
    """Short lines that lean one way, as grass, straw or hair."""
    tile = np.full((3 * TEXTURE_SIZE, 3 * TEXTURE_SIZE), 0.3, np.float32)
    lean, freedom = rng.uniform(0, np.pi), rng.choice([0.1, 0.3, 0.8])
    length, thickness = rng.uniform(8, 60), int(rng.integers(1, 4))
    for _ in range(1500):
        x, y = TEXTURE_SIZE * rng.random(), TEXTURE_SIZE * rng.random()
        angle = lean + rng.normal(0, freedom)
        reach = length * rng.uniform(0.5, 1.5)
        begin = (int(x), int(y))
        end = (int(x + reach * math.cos(angle)), int(y + reach * math.sin(angle)))
        shade = rng.random()
        for dx in _copies(begin[0], end[0], thickness + 1):
            for dy in _copies(begin[1], end[1], thickness + 1):
                a = (begin[0] + dx + TEXTURE_SIZE, begin[1] + dy + TEXTURE_SIZE)
                b = (end[0] + dx + TEXTURE_SIZE, end[1] + dy + TEXTURE_SIZE)
                cv2.line(tile, a, b, shade, thickness)
    middle = slice(TEXTURE_SIZE, 2 * TEXTURE_SIZE)
    return np.asarray(tile[middle, middle], np.float64)


def _copies(begin: int, end: int, margin: int) -> list[int]:
    """By how much what lies between two coordinates is moved for its copies that touch the tile."""
    low, high = min(begin, end) - margin, max(begin, end) + margin
    moves = (-TEXTURE_SIZE, 0, TEXTURE_SIZE)
    return [by for by in moves if low + by < TEXTURE_SIZE and high + by >= 0]


def _ripples(rng: np.random.Generator) -> NDArray[np.float64]:
    """Long waves with sharp bright crests, as on water."""
    waves = _spectral(rng, rng.uniform(1.6, 3.0), 1.0 / rng.uniform(3, 8), 0.0, lowest=3.0)
    return np.asarray(np.exp(rng.uniform(0.5, 1.3) * waves / waves.std()))
