"""From painted colours to a photograph: light, haze, lens, sensor and compression."""

import cv2
import numpy as np
from numpy.typing import NDArray

from suresam.scenes.painting import Light
from suresam.scenes.textures import FloatImage, soft_noise


def photograph(image: FloatImage, light: Light, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Light a painted scene and take its picture.

    Args:
        image: (S, S, 3) float32 RGB, about [0, 1]; left unchanged.

    Returns:
        (S, S, 3) uint8 RGB.
    """
    size = image.shape[0]
    picture = image * _illumination(size, light, rng)[..., None]
    if rng.random() < 0.15:
        haze = np.linspace(rng.uniform(0, 0.7), 0, size, dtype=np.float32)[:, None, None]
        picture = picture * (1 - haze) + haze * rng.uniform(0.5, 0.95)
    picture = np.clip(picture * rng.uniform(0.85, 1.15, 3).astype(np.float32), 0, 1.2)
    # Exposure: as a camera does, bring the middle grey to a usual place.
    picture *= np.float32(rng.uniform(0.28, 0.6) / max(float(picture.mean()), 0.05))
    middle = float(picture.mean())
    picture = (picture - middle) * np.float32(rng.uniform(0.8, 1.55)) + middle
    np.clip(picture, 0, 1, out=picture)
    sigma = float(rng.choice([0.35, 0.6, 1.0, 1.6], p=[0.35, 0.3, 0.25, 0.1])) * size / 256
    picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    noise = float(rng.choice([0.004, 0.015, 0.04], p=[0.5, 0.35, 0.15]))
    picture = picture + noise * rng.standard_normal(picture.shape, dtype=np.float32)
    result = np.asarray(np.clip(picture, 0, 1) * 255 + 0.5, np.uint8)
    if rng.random() < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 95))]
        _, packed = cv2.imencode(".jpg", result, quality)
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return result


def _illumination(size: int, light: Light, rng: np.random.Generator) -> FloatImage:
    """Light that falls on every pixel: a slope, and sometimes a large soft shadow across."""
    ramp = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    slope = np.float32(rng.choice([0.1, 0.4, 0.9], p=[0.45, 0.35, 0.2]))
    field = 1.0 - slope * (ramp[None, :] * light.x + ramp[:, None] * light.y)
    if rng.random() < 0.4:
        noise = soft_noise()[rng.integers(32)]
        side = int(rng.uniform(0.25, 0.7) * noise.shape[0])
        top, left = rng.integers(0, noise.shape[0] - side, 2)
        cloud = cv2.resize(noise[top : top + side, left : left + side], (size, size))
        edge = rng.uniform(4, 40)
        shade = 1 / (1 + np.exp(-edge * (cloud - rng.uniform(0.35, 0.65))))
        field = field * (1 - np.float32(rng.uniform(0.2, 0.65)) * shade)
    return np.asarray(np.clip(field, 0.05, 1.6), np.float32)
