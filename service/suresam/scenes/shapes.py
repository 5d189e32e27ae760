"""Outlines of things in procedural scenes, as polygons in unit coordinates."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]
"""(N, 2) x, y around the origin; a shape of scale 1 has a half-size of about 1."""


def placed(outline: Outline, x: float, y: float, scale: float, turn: float) -> Outline:
    """The outline turned by `turn` radians, scaled and moved into the scene."""
    cos, sin = np.cos(turn), np.sin(turn)
    return np.asarray(outline @ np.array([[cos, sin], [-sin, cos]]) * scale + [x, y])


def random_outline(rng: np.random.Generator) -> Outline:
    """One of the shapes below, wobbled by its own parameters."""
    makers: tuple[Callable[[np.random.Generator], Outline], ...] = (
        blob, blob, blob, ellipse, block, corners, ribbon, bush,
    )  # fmt: skip
    return makers[rng.integers(len(makers))](rng)


def ellipse(rng: np.random.Generator) -> Outline:
    """A circle pressed to between a third and all of its height."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle) * rng.uniform(0.35, 1.0)], axis=1)


def blob(rng: np.random.Generator) -> Outline:
    """A smooth irregular closed curve (a circle with random low harmonics)."""
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    radius = np.ones(64)
    for k in range(2, 8):
        radius += rng.normal(0, 0.45 / k) * np.cos(k * angle + rng.uniform(0, 2 * np.pi))
    radius = np.clip(radius, 0.25, 1.8)
    press = rng.uniform(0.45, 1.0)
    return np.stack([radius * np.cos(angle), press * radius * np.sin(angle)], axis=1)


def bush(rng: np.random.Generator) -> Outline:
    """A closed curve with a ragged edge, as of foliage or fur."""
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    radius = 1.0 + rng.normal(0, 0.07, 120)
    for k in (2, 3, 5, 9, 14, 21):
        radius += rng.normal(0, 0.3 / np.sqrt(k) / 2) * np.cos(k * angle + rng.uniform(0, 6.3))
    radius = np.clip(radius, 0.3, 1.7)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle) * 0.8], axis=1)


def block(rng: np.random.Generator) -> Outline:
    """A box, sheared a little, with corners that may be rounded."""
    height = rng.uniform(0.3, 1.0)
    exponent = rng.choice([0.12, 0.3, 0.55])
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False) + np.pi / 4
    cos, sin = np.cos(angle), np.sin(angle)
    x = np.sign(cos) * np.abs(cos) ** exponent
    y = np.sign(sin) * np.abs(sin) ** exponent * height
    return np.stack([x + rng.uniform(-0.3, 0.3) * y, y], axis=1)


def corners(rng: np.random.Generator) -> Outline:
    """A polygon of three to nine straight edges, sometimes star-like."""
    count = int(rng.integers(3, 10))
    angle = np.sort(rng.uniform(0, 2 * np.pi, count) * 0.5 + np.arange(count) * np.pi / count * 2)
    radius = rng.uniform(0.45, 1.15, count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def ribbon(rng: np.random.Generator) -> Outline:
    """A bent band: a pole, a branch, a road."""
    along = np.linspace(-1, 1, 24)
    bend = rng.normal(0, 0.35) * along**2 + rng.normal(0, 0.2) * np.sin(3 * along)
    half = rng.uniform(0.06, 0.22) * (1 + rng.uniform(-0.6, 0.6) * along)
    there = np.stack([along, bend + half], axis=1)
    back = np.stack([along, bend - half], axis=1)[::-1]
    return np.concatenate([there, back])


def limb(start: NDArray[np.float64], end: NDArray[np.float64], wide: float, thin: float) -> Outline:
    """A tapering band between two places, round at its ends."""
    direction = (end - start) / max(float(np.linalg.norm(end - start)), 1e-6)
    normal = np.array([-direction[1], direction[0]])
    arc = np.linspace(-np.pi / 2, np.pi / 2, 8)[:, None]
    first = end + thin * (np.cos(arc) * direction + np.sin(arc) * normal)
    second = start - wide * (np.cos(arc) * direction + np.sin(arc) * normal)
    return np.concatenate([first, second])


def creature(rng: np.random.Generator) -> list[Outline]:
    """Limbs, body and head of an animal or person, back to front; each is one part."""
    body = ellipse(rng) * [0.75, 0.75] + rng.normal(0, 0.02, (40, 2))
    below = 0.3
    parts: list[Outline] = []
    num_legs = int(rng.integers(2, 5))
    for x in np.linspace(-0.5, 0.5, num_legs):
        foot = np.array([x + rng.normal(0, 0.1), rng.uniform(0.75, 1.1)])
        parts.append(limb(np.array([x, below]), foot, 0.14, rng.uniform(0.05, 0.1)))
    if rng.random() < 0.5:
        tail = np.array([-1.1, rng.uniform(-0.6, 0.3)])
        parts.append(limb(np.array([-0.6, 0.0]), tail, 0.09, 0.03))
    head = np.array([rng.uniform(0.6, 1.0), rng.uniform(-0.8, -0.2)])
    parts.append(body)
    parts.append(limb(np.array([0.5, 0.0]), head, 0.24, 0.16))
    parts.append(placed(blob(rng), head[0] + 0.05, head[1], rng.uniform(0.2, 0.32), 0.0))
    return parts


def tree(rng: np.random.Generator) -> list[Outline]:
    """A trunk and one to three crowns."""
    trunk = limb(np.array([0.0, 1.1]), np.array([rng.normal(0, 0.1), -0.2]), 0.14, 0.08)
    crowns = [
        placed(bush(rng), rng.normal(0, 0.35), rng.uniform(-0.9, -0.3), rng.uniform(0.4, 0.8), 0.0)
        for _ in range(rng.integers(1, 4))
    ]
    return [trunk, *crowns]


def vehicle(rng: np.random.Generator) -> list[Outline]:
    """A body, a cabin with windows, and wheels."""
    body = block(rng) * [1.1, 0.6]
    half = float(np.abs(body[:, 1]).max())
    cabin = placed(corners(rng) if rng.random() < 0.2 else block(rng), 0.0, -half, 0.6, 0.0)
    parts = [cabin, body]
    num_windows = int(rng.integers(1, 4))
    for x in np.linspace(-0.35, 0.35, num_windows):
        parts.append(placed(block(rng), x, -half * 1.15, 0.32 / num_windows, 0.0))
    for x in np.linspace(-0.7, 0.7, int(rng.integers(2, 4))):
        parts.append(placed(ellipse(rng) * [0.8, 1.0], x, half, rng.uniform(0.2, 0.3), 0.0))
    return parts


def house(rng: np.random.Generator) -> list[Outline]:
    """A wall with a grid of openings, sometimes under a roof."""
    height = rng.uniform(0.6, 1.3)
    wall = np.array([[-0.9, -height], [0.9, -height], [0.9, height], [-0.9, height]])
    parts: list[Outline] = [wall]
    if rng.random() < 0.6:
        top = np.array([[-1.1, -height], [1.1, -height], [rng.uniform(-0.6, 0.6), -height - 0.6]])
        parts.append(top)
    rows, columns = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    wide, high = 0.5 / columns, 0.5 * height / rows
    for y in (np.arange(rows) + 0.5) / rows * 2 - 1:
        for x in (np.arange(columns) + 0.5) / columns * 2 - 1:
            opening = np.array([[-wide, -high], [wide, -high], [wide, high], [-wide, high]])
            parts.append(opening + np.array([0.9 * x, height * y]))
    return parts


def vessel(rng: np.random.Generator) -> list[Outline]:
    """A bottle or jar: a body, a neck and a label."""
    wide = rng.uniform(0.3, 0.6)
    body = block(rng) * [wide, 1.0] / [1.0, 1.0]
    body[:, 1] *= 0.8 / max(float(np.abs(body[:, 1]).max()), 1e-6)
    neck = placed(block(rng), 0.0, -0.95, 0.5 * wide, 0.0)
    label = placed(block(rng) * [0.9, 0.8], 0.0, rng.uniform(-0.1, 0.3), wide, 0.0)
    return [neck, body, label]


COMPOSITES: tuple[Callable[[np.random.Generator], list[Outline]], ...] = (
    creature, creature, tree, vehicle, house, vessel,
)  # fmt: skip
"""Makers of things with parts of their own, each part listed back to front."""
