from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from beans.schema import CLASSES, FEATURES, LABEL
from beans.synthetic import SHAPES, generate, measure


def test_the_features_are_computed_as_in_the_published_data() -> None:
    """The first row of the published file: six values that were measured, ten that follow from them."""
    measures = [
        np.array([value]) for value in (28395.0, 610.291, 208.1781167, 173.888747, 28715.0, 0.763922518)
    ]
    row = measure(*measures).iloc[0]
    assert row["AspectRation"] == pytest.approx(1.197191424)
    assert row["Eccentricity"] == pytest.approx(0.549812187)
    assert row["EquivDiameter"] == pytest.approx(190.1410973)
    assert row["Solidity"] == pytest.approx(0.988855999)
    assert row["roundness"] == pytest.approx(0.958027126)
    assert row["Compactness"] == pytest.approx(0.913357755)
    assert row["ShapeFactor1"] == pytest.approx(0.007331506)
    assert row["ShapeFactor2"] == pytest.approx(0.003147289, rel=1e-5)
    assert row["ShapeFactor3"] == pytest.approx(0.834222388)
    assert row["ShapeFactor4"] == pytest.approx(0.998723889)


def test_the_same_seed_gives_the_same_beans() -> None:
    pd.testing.assert_frame_equal(generate(200, 7), generate(200, 7))
    assert not generate(200, 7).equals(generate(200, 8))


def test_beans_are_possible() -> None:
    table = generate(3000, 1)
    assert list(table.columns) == [*FEATURES, LABEL]
    assert set(table[LABEL]) == set(CLASSES) == set(SHAPES)
    assert (table["MajorAxisLength"] > table["MinorAxisLength"]).all()
    for name in ("Eccentricity", "Extent", "Solidity", "roundness", "Compactness", "ShapeFactor4"):
        assert table[name].between(0, 1, inclusive="neither").all(), name
    assert (table["ConvexArea"] >= table["Area"]).all()
