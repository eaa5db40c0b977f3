"""The steps of the pipeline.

KFP takes the source of each function and runs it alone, in a process or container of its own. That is why
each imports what it needs, and uses nothing of this module but its arguments. What a step installs is pinned
to the versions of requirements.txt; a test compares them.
"""

from kfp import dsl
from kfp.dsl import ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output

BASE_IMAGE = "python:3.11.15-slim"
PANDAS = "pandas==3.1.1"
SCIKIT_LEARN = "scikit-learn==1.9.1"
# The newest that Vertex AI has a container for to serve its models.
XGBOOST = "xgboost-cpu==2.1.4"
MATPLOTLIB = "matplotlib==3.11.2"
GOOGLE_AUTH = "google-auth==2.63.0"
REQUESTS = "requests==2.33.0"


@dsl.component(base_image=BASE_IMAGE, packages_to_install=[PANDAS, SCIKIT_LEARN])
def prepare(
    source: str,
    features: list,
    classes: list,
    label: str,
    test_share: float,
    seed: int,
    train: Output[Dataset],
    test: Output[Dataset],
    summary: Output[Markdown],
) -> None:
    """Reads a CSV file (a path, or gs://…), validates it, and splits it by class."""
    import pandas as pd
    from sklearn.model_selection import train_test_split

    path = source.replace("gs://", "/gcs/", 1) if source.startswith("gs://") else source
    table = pd.read_csv(path)
    missing = [name for name in [*features, label] if name not in table.columns]
    if missing:
        raise ValueError(f"{source} lacks the columns {', '.join(missing)}")
    table = table[[*features, label]]
    if table.empty:
        raise ValueError(f"{source} holds no rows")
    not_numbers = [name for name in features if not pd.api.types.is_numeric_dtype(table[name])]
    if not_numbers:
        raise ValueError(
            f"{source}: these columns hold something else than numbers: {', '.join(not_numbers)}"
        )
    values = table[features]
    is_bad = (~values.apply(lambda column: column.between(0, float("inf"), inclusive="neither"))).any(axis=1)
    if is_bad.any():
        lines = ", ".join(str(index + 2) for index in table.index[is_bad][:5])
        raise ValueError(
            f"{source}: {is_bad.sum()} rows lack a positive number; the first are in lines {lines}"
        )
    unknown = sorted(set(table[label].astype(str)) - set(classes))
    if unknown:
        raise ValueError(f"{source}: unknown classes: {', '.join(unknown[:5])}")
    rows = len(table)
    table = table.drop_duplicates()
    counts = table[label].value_counts()
    if len(counts) < 2:
        raise ValueError(f"{source} holds rows of {counts.idxmax()} alone; two classes are needed")
    if counts.min() < 10:
        raise ValueError(f"{source}: class {counts.idxmin()} has {counts.min()} rows; 10 are needed")
    train_rows, test_rows = train_test_split(
        table, test_size=test_share, random_state=seed, stratify=table[label]
    )
    train_rows.to_csv(train.path, index=False)
    test_rows.to_csv(test.path, index=False)
    train.metadata["rows"], test.metadata["rows"] = len(train_rows), len(test_rows)
    lines = [
        f"{len(train_rows)} rows to train, {len(test_rows)} to test, {rows - len(table)} duplicates dropped."
    ]
    lines += ["", "| Class | Rows |", "| --- | ---: |"]
    lines += [f"| {name} | {counts[name]} |" for name in sorted(counts.index)]
    with open(summary.path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


@dsl.component(base_image=BASE_IMAGE, packages_to_install=[PANDAS, SCIKIT_LEARN, XGBOOST])
def train_model(
    train: Input[Dataset],
    label: str,
    rounds: int,
    depth: int,
    learning_rate: float,
    seed: int,
    model: Output[Model],
) -> None:
    """Trains gradient-boosted trees. The same rows, parameters and version give the same model."""
    import os

    import pandas as pd
    import xgboost

    table = pd.read_csv(train.path)
    classes = sorted(table[label].unique())
    codes = table[label].map({name: code for code, name in enumerate(classes)})
    parameters = {
        "objective": "multi:softprob",
        "num_class": len(classes),
        "max_depth": depth,
        "eta": learning_rate,
        "seed": seed,
        "tree_method": "hist",
    }
    booster = xgboost.train(parameters, xgboost.DMatrix(table.drop(columns=label), codes), rounds)
    booster.set_attr(classes="\n".join(classes))
    # Vertex AI's prediction containers look for this name in the model's folder.
    os.makedirs(model.path, exist_ok=True)
    with open(os.path.join(model.path, "model.bst"), "wb") as file:
        file.write(booster.save_raw("ubj"))
    model.metadata["framework"] = f"xgboost {xgboost.__version__}"
    model.metadata["classes"] = classes


@dsl.component(base_image=BASE_IMAGE, packages_to_install=[PANDAS, SCIKIT_LEARN, XGBOOST, MATPLOTLIB])
def evaluate(
    model: Input[Model],
    test: Input[Dataset],
    label: str,
    metrics: Output[Metrics],
    confusion: Output[ClassificationMetrics],
    picture: Output[dsl.Artifact],
    report: Output[dsl.Artifact],
) -> None:
    """Measures the model on rows that it has not seen: accuracy, each class, and the confusion matrix."""
    import json
    import os

    import matplotlib
    import pandas as pd
    import xgboost
    from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, confusion_matrix
    from sklearn.metrics import precision_recall_fscore_support as score_classes

    booster = xgboost.Booster()
    booster.load_model(os.path.join(model.path, "model.bst"))
    classes = (booster.attr("classes") or "").split("\n")
    table = pd.read_csv(test.path)
    codes = booster.predict(xgboost.DMatrix(table.drop(columns=label))).argmax(axis=1)
    predicted = [classes[code] for code in codes]
    matrix = confusion_matrix(table[label], predicted, labels=classes)
    precision, recall, f1, rows = score_classes(table[label], predicted, labels=classes, zero_division=0)
    document = {
        "accuracy": round(float(accuracy_score(table[label], predicted)), 6),
        "macro_f1": round(float(f1.mean()), 6),
        "classes": {
            name: {
                "precision": round(float(precision[index]), 6),
                "recall": round(float(recall[index]), 6),
                "f1": round(float(f1[index]), 6),
                "rows": int(rows[index]),
            }
            for index, name in enumerate(classes)
        },
        "confusion_matrix": {"classes": classes, "rows": matrix.tolist()},
    }
    with open(report.path, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
    for name in ("accuracy", "macro_f1"):
        metrics.log_metric(name, document[name])
    confusion.log_confusion_matrix(classes, matrix.tolist())

    matplotlib.use("Agg")
    display = ConfusionMatrixDisplay(matrix, display_labels=classes)
    display.plot(cmap="Blues", xticks_rotation=45, colorbar=False)
    display.ax_.set_title(f"Confusion matrix, accuracy {document['accuracy']:.3f}")
    display.figure_.savefig(
        picture.path, format="png", dpi=120, bbox_inches="tight", metadata={"Software": None}
    )


@dsl.component(base_image=BASE_IMAGE)
def require_quality(report: Input[dsl.Artifact], minimum_accuracy: float, minimum_recall: float) -> None:
    """Fails, and with it the pipeline, if the model is not good enough to be registered."""
    import json

    with open(report.path, encoding="utf-8") as file:
        document = json.load(file)
    problems = []
    # A comparison with NaN is false: what is not known to be good enough is not.
    if not document["accuracy"] >= minimum_accuracy:
        problems.append(f"accuracy {document['accuracy']:.4f} is below {minimum_accuracy}")
    problems += [
        f"recall of {name} {scores['recall']:.4f} is below {minimum_recall}"
        for name, scores in document["classes"].items()
        if not scores["recall"] >= minimum_recall
    ]
    if problems:
        raise ValueError("The model is not good enough: " + "; ".join(problems))


@dsl.component(base_image=BASE_IMAGE, packages_to_install=[GOOGLE_AUTH, REQUESTS])
def register(
    model: Input[Model],
    report: Input[dsl.Artifact],
    project: str,
    location: str,
    name: str,
    image: str,
    endpoint: str,
) -> str:
    """Uploads the model to Vertex AI's model registry, and returns its resource name.

    Without a project nothing is registered: this is a local run. `endpoint` is the API's address, by default
    that of the location; only a loopback address is asked without credentials.
    """
    import json
    import re
    import time

    import google.auth
    import requests
    from google.auth.transport.requests import AuthorizedSession

    if not project:
        print("No project: the model is not registered.")
        return ""
    with open(report.path, encoding="utf-8") as file:
        document = json.load(file)
    base = (endpoint or f"https://{location}-aiplatform.googleapis.com").rstrip("/")
    if re.fullmatch(r"http://127\.0\.0\.1:\d+", base):
        session = requests.Session()
    elif base.startswith("https://"):
        session = AuthorizedSession(
            google.auth.default(["https://www.googleapis.com/auth/cloud-platform"])[0]
        )
    else:
        raise ValueError(f"{base} is no https address")
    body = {
        "model": {
            "displayName": name,
            "artifactUri": model.uri,
            "containerSpec": {"imageUri": image},
            "description": f"accuracy {document['accuracy']:.4f}, macro F1 {document['macro_f1']:.4f}",
            "labels": {"pipeline": name},
        }
    }
    url = f"{base}/v1/projects/{project}/locations/{location}/models:upload"
    response = session.post(url, json=body, timeout=60)
    response.raise_for_status()
    operation = response.json()
    end = time.monotonic() + 1800
    while not operation.get("done"):
        if time.monotonic() > end:
            raise TimeoutError(f"{operation['name']} is not done after 30 minutes")
        time.sleep(0 if base.startswith("http://") else 5)
        response = session.get(f"{base}/v1/{operation['name']}", timeout=60)
        response.raise_for_status()
        operation = response.json()
    if "error" in operation:
        raise RuntimeError(f"The model was not registered: {operation['error'].get('message')}")
    return str(operation["response"]["model"])
