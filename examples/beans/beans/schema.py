"""What a table of beans holds: the columns and classes of the Dry Bean data set.

Source: M. Koklu and I. A. Ozkan, "Multiclass classification of dry beans using computer vision and machine
learning techniques", Computers and Electronics in Agriculture 174 (2020). The names of the columns are the
published file's, with its spelling.
"""

from __future__ import annotations

FEATURES = (
    "Area",
    "Perimeter",
    "MajorAxisLength",
    "MinorAxisLength",
    "AspectRation",
    "Eccentricity",
    "ConvexArea",
    "EquivDiameter",
    "Extent",
    "Solidity",
    "roundness",
    "Compactness",
    "ShapeFactor1",
    "ShapeFactor2",
    "ShapeFactor3",
    "ShapeFactor4",
)
LABEL = "Class"
CLASSES = ("BARBUNYA", "BOMBAY", "CALI", "DERMASON", "HOROZ", "SEKER", "SIRA")
