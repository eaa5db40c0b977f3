"""Synthetic beans: rows whose sixteen features agree with each other, as if measured on ellipses.

They are for tests and for a first run. They are not the published data, and a model that is trained on them
says nothing about real beans.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from beans.schema import FEATURES, LABEL


@dataclass(frozen=True)
class BeanShape:
    """A class: its share of the rows, and the mean axes of its beans in pixels."""

    share: float
    major: float
    minor: float


# Shares and axes are rounded from the published table of means (see `beans.schema`).
SHAPES = {
    "BARBUNYA": BeanShape(0.10, 370, 240),
    "BOMBAY": BeanShape(0.04, 593, 374),
    "CALI": BeanShape(0.12, 410, 236),
    "DERMASON": BeanShape(0.26, 247, 166),
    "HOROZ": BeanShape(0.14, 373, 184),
    "SEKER": BeanShape(0.15, 251, 202),
    "SIRA": BeanShape(0.19, 299, 191),
}
# Standard deviations, as shares of the mean, of a bean's size and of its elongation.
_SIZE_SPREAD = 0.06
_ELONGATION_SPREAD = 0.035


def generate(rows: int, seed: int) -> pd.DataFrame:
    """`rows` synthetic beans, shuffled: one column per feature and the class. The seed decides all of it."""
    random = np.random.default_rng(seed)
    names = list(SHAPES)
    labels = random.choice(names, size=rows, p=[SHAPES[name].share for name in names])
    size = random.normal(1, _SIZE_SPREAD, rows).clip(0.8, 1.2)
    elongation = random.normal(1, _ELONGATION_SPREAD, rows).clip(0.9, 1.1)
    major = np.array([SHAPES[label].major for label in labels]) * size * np.sqrt(elongation)
    minor = np.array([SHAPES[label].minor for label in labels]) * size / np.sqrt(elongation)
    # A dent makes a bean smaller than its ellipse, a rough outline makes its perimeter longer.
    area = np.pi / 4 * major * minor * random.normal(0.997, 0.001, rows).clip(0.99, 0.9995)
    convex_area = area / random.normal(0.987, 0.003, rows).clip(0.96, 0.999)
    perimeter = _ellipse_perimeter(major, minor) * random.normal(1.03, 0.01, rows).clip(1, 1.1)
    extent = random.normal(0.75, 0.03, rows).clip(0.6, 0.85)
    table = measure(area.round(), perimeter, major, minor, convex_area.round(), extent)
    return table.assign(**{LABEL: labels})


def measure(
    area: np.ndarray,
    perimeter: np.ndarray,
    major: np.ndarray,
    minor: np.ndarray,
    convex_area: np.ndarray,
    extent: np.ndarray,
) -> pd.DataFrame:
    """The sixteen features of beans, from the six that are measured, in pixels and square pixels."""
    diameter = np.sqrt(4 * area / np.pi)
    columns = (
        area,
        perimeter,
        major,
        minor,
        major / minor,
        np.sqrt(1 - (minor / major) ** 2),
        convex_area,
        diameter,
        extent,
        area / convex_area,
        4 * np.pi * area / perimeter**2,
        diameter / major,
        major / area,
        area / major**3,
        4 * area / (np.pi * major**2),
        4 * area / (np.pi * major * minor),
    )
    return pd.DataFrame(dict(zip(FEATURES, columns, strict=True)))


def _ellipse_perimeter(major: np.ndarray, minor: np.ndarray) -> np.ndarray:
    """Ramanujan's first approximation."""
    a, b = major / 2, minor / 2
    return np.pi * (3 * (a + b) - np.sqrt((3 * a + b) * (a + 3 * b)))
