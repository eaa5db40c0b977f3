"""The pipeline: prepare, train, evaluate, require quality, register.

Without `from __future__ import annotations`: KFP reads the types of the arguments, and wants no text.
"""

import hashlib
import tempfile
from pathlib import Path

from kfp import compiler, dsl

from beans.components import evaluate, prepare, register, require_quality, train_model
from beans.schema import CLASSES, FEATURES, LABEL

NAME = "beans"
# Serves what `train_model` writes. Source: https://cloud.google.com/vertex-ai/docs/predictions/pre-built-containers
SERVING_IMAGE = "europe-docker.pkg.dev/vertex-ai/prediction/xgboost-cpu.2-1:latest"


@dsl.pipeline(name=NAME, description="Tells seven kinds of dry beans apart.")
def pipeline(
    data: str,
    project: str = "",
    location: str = "",
    endpoint: str = "",
    test_share: float = 0.2,
    rounds: int = 80,
    depth: int = 4,
    learning_rate: float = 0.3,
    minimum_accuracy: float = 0.9,
    minimum_recall: float = 0.8,
    seed: int = 1,
) -> None:
    """`data` is a CSV file: a path, or gs://BUCKET/OBJECT on Vertex AI."""
    data_step = prepare(
        source=data,
        features=list(FEATURES),
        classes=list(CLASSES),
        label=LABEL,
        test_share=test_share,
        seed=seed,
    )
    training = train_model(
        train=data_step.outputs["train"],
        label=LABEL,
        rounds=rounds,
        depth=depth,
        learning_rate=learning_rate,
        seed=seed,
    )
    evaluation = evaluate(model=training.outputs["model"], test=data_step.outputs["test"], label=LABEL)
    gate = require_quality(
        report=evaluation.outputs["report"],
        minimum_accuracy=minimum_accuracy,
        minimum_recall=minimum_recall,
    )
    register(
        model=training.outputs["model"],
        report=evaluation.outputs["report"],
        project=project,
        location=location,
        name=NAME,
        image=SERVING_IMAGE,
        endpoint=endpoint,
    ).after(gate)


def compile_pipeline() -> bytes:
    """The compiled pipeline in YAML; the same code gives the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        return path.read_bytes()


def digest(compiled: bytes) -> str:
    """`sha256:HEX` of a compiled pipeline."""
    return f"sha256:{hashlib.sha256(compiled).hexdigest()}"
