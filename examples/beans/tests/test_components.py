"""Each step as the function that it is, on files."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kfp import dsl

from beans import components
from beans.schema import CLASSES, FEATURES, LABEL
from beans.synthetic import generate


def prepare(artifact: Any, source: Path) -> tuple[dsl.Dataset, dsl.Dataset, str]:
    train, test = artifact(dsl.Dataset, "train"), artifact(dsl.Dataset, "test")
    summary = artifact(dsl.Markdown, "summary")
    components.prepare.python_func(
        source=str(source),
        features=list(FEATURES),
        classes=list(CLASSES),
        label=LABEL,
        test_share=0.25,
        seed=1,
        train=train,
        test=test,
        summary=summary,
    )
    return train, test, Path(summary.path).read_text()


def train_model(artifact: Any, train: dsl.Dataset, name: str) -> dsl.Model:
    model = artifact(dsl.Model, name)
    components.train_model.python_func(
        train=train, label=LABEL, rounds=10, depth=3, learning_rate=0.3, seed=1, model=model
    )
    return model


@pytest.fixture
def beans(tmp_path: Path) -> Path:
    path = tmp_path / "beans.csv"
    generate(1500, 1).to_csv(path, index=False)
    return path


def test_a_table_is_split_by_class(artifact: Any, beans: Path) -> None:
    table = pd.read_csv(beans)
    pd.concat([table, table.iloc[:20]]).to_csv(beans, index=False)
    train, test, summary = prepare(artifact, beans)
    train_rows, test_rows = pd.read_csv(train.path), pd.read_csv(test.path)
    assert (len(train_rows), len(test_rows)) == (1125, 375)
    assert "20 duplicates dropped" in summary
    shares = train_rows[LABEL].value_counts(normalize=True) - test_rows[LABEL].value_counts(normalize=True)
    assert shares.abs().max() < 0.01
    assert not set(map(tuple, train_rows.values)) & set(map(tuple, test_rows.values))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda table: table.drop(columns=["Area", "Extent"]), "lacks the columns Area, Extent"),
        (lambda table: table.assign(Area="big"), "something else than numbers: Area"),
        (
            lambda table: table.assign(Area=[math.nan, *table["Area"][1:]]),
            "1 rows lack a positive number.* 2",
        ),
        (lambda table: table.assign(Area=[math.inf, *table["Area"][1:]]), "1 rows lack a positive number"),
        (lambda table: table.assign(Area=[-1, *table["Area"][1:]]), "1 rows lack a positive number"),
        (lambda table: table.assign(Class="PEA"), "unknown classes: PEA"),
        (lambda table: table.assign(Class="SIRA"), "holds rows of SIRA alone"),
        (lambda table: table.iloc[:0], "holds no rows"),
        (lambda table: table.assign(Class=["CALI"] * 3 + ["SIRA"] * 1497), "class CALI has 3 rows"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(
    artifact: Any, beans: Path, change: Any, problem: str
) -> None:
    change(pd.read_csv(beans)).to_csv(beans, index=False)
    with pytest.raises(ValueError, match=problem):
        prepare(artifact, beans)


def test_training_is_deterministic_and_evaluation_counts_every_row(artifact: Any, beans: Path) -> None:
    train, test, _ = prepare(artifact, beans)
    models = [train_model(artifact, train, name) for name in ("first", "second")]
    files = [(Path(model.path) / "model.bst").read_bytes() for model in models]
    assert files[0] == files[1]

    metrics, confusion = artifact(dsl.Metrics, "metrics"), artifact(dsl.ClassificationMetrics, "confusion")
    picture, report = artifact(dsl.Artifact, "picture"), artifact(dsl.Artifact, "report")
    components.evaluate.python_func(
        model=models[0],
        test=test,
        label=LABEL,
        metrics=metrics,
        confusion=confusion,
        picture=picture,
        report=report,
    )
    document = json.loads(Path(report.path).read_text())
    matrix = document["confusion_matrix"]["rows"]
    right = sum(matrix[index][index] for index in range(len(CLASSES)))
    assert sum(map(sum, matrix)) == 375
    assert document["accuracy"] == pytest.approx(right / 375, abs=1e-6)
    assert document["accuracy"] > 0.9
    assert metrics.metadata["accuracy"] == document["accuracy"]
    for index, name in enumerate(sorted(CLASSES)):
        scores = document["classes"][name]
        assert scores["rows"] == sum(matrix[index])
        assert scores["recall"] == pytest.approx(matrix[index][index] / sum(matrix[index]), abs=1e-6)
    assert Path(picture.path).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("accuracy", "recall", "problem"),
    [
        (0.95, 0.9, None),
        (0.9, 0.8, None),
        (0.89, 0.9, "accuracy 0.8900 is below 0.9"),
        (0.95, 0.79, "recall of SIRA 0.7900 is below 0.8"),
        (math.nan, 0.9, "accuracy nan"),
        (0.95, math.nan, "recall of SIRA nan"),
    ],
)
def test_a_model_below_its_limits_is_stopped(
    artifact: Any, accuracy: float, recall: float, problem: str | None
) -> None:
    report = artifact(dsl.Artifact, "report")
    document = {"accuracy": accuracy, "classes": {"CALI": {"recall": 0.99}, "SIRA": {"recall": recall}}}
    Path(report.path).write_text(json.dumps(document))
    step = components.require_quality.python_func
    if problem is None:
        step(report=report, minimum_accuracy=0.9, minimum_recall=0.8)
    else:
        with pytest.raises(ValueError, match=problem):
            step(report=report, minimum_accuracy=0.9, minimum_recall=0.8)


def register(artifact: Any, **changes: str) -> str:
    report = artifact(dsl.Artifact, "report")
    Path(report.path).write_text(json.dumps({"accuracy": 0.95, "macro_f1": 0.94}))
    arguments = {
        "project": "acme",
        "location": "europe-west1",
        "name": "beans",
        "image": "image",
        "endpoint": "",
    }
    model = artifact(dsl.Model, "model")
    return str(components.register.python_func(model=model, report=report, **arguments | changes))


def test_a_model_is_registered(artifact: Any, cloud: Any) -> None:
    assert register(artifact, endpoint=cloud.url) == "projects/p/locations/l/models/1"
    [model] = cloud.models
    assert model["containerSpec"] == {"imageUri": "image"}
    assert model["description"] == "accuracy 0.9500, macro F1 0.9400"


def test_a_local_run_registers_nothing(artifact: Any, cloud: Any) -> None:
    assert register(artifact, project="", endpoint=cloud.url) == ""
    assert cloud.requests == []


def test_credentials_go_to_https_only(artifact: Any) -> None:
    for endpoint in ("http://example.com", "http://127.0.0.1:1@example.com", "ftp://127.0.0.1:1"):
        with pytest.raises(ValueError, match="no https address"):
            register(artifact, endpoint=endpoint)


def test_steps_install_what_the_project_is_tested_with() -> None:
    root = Path(__file__).parents[1]
    pins = set(re.findall(r"^([\w.-]+==[\w.]+)", (root / "requirements.txt").read_text(), re.MULTILINE))
    names = ("PANDAS", "SCIKIT_LEARN", "XGBOOST", "MATPLOTLIB", "GOOGLE_AUTH", "REQUESTS")
    assert {getattr(components, name) for name in names} <= pins
