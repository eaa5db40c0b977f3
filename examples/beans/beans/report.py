"""The evaluation of a model as Markdown, for a pull request, and as text, for a terminal."""

from __future__ import annotations

from typing import Any


def render_markdown(evaluation: dict[str, Any], baseline: dict[str, Any] | None = None) -> str:
    """The scores as a table, with the difference to an earlier evaluation if there is one."""
    lines = [
        "### The model of this change",
        "",
        f"Accuracy **{evaluation['accuracy']:.4f}**{_difference(evaluation, baseline, 'accuracy')}, "
        f"macro F1 **{evaluation['macro_f1']:.4f}**{_difference(evaluation, baseline, 'macro_f1')}, "
        "trained on synthetic beans.",
        "",
        "| Class | Precision | Recall | F1 | Rows |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {name} | {scores['precision']:.3f} | {scores['recall']:.3f} | {scores['f1']:.3f} "
        f"| {scores['rows']} |"
        for name, scores in evaluation["classes"].items()
    ]
    lines += ["", "#### Confusion matrix", ""]
    classes = evaluation["confusion_matrix"]["classes"]
    lines += [
        f"| true class | {' | '.join(classes)} |",
        f"| --- |{' ---: |' * len(classes)}",
    ]
    lines += [
        f"| {name} | {' | '.join(str(count) for count in row)} |"
        for name, row in zip(classes, evaluation["confusion_matrix"]["rows"], strict=True)
    ]
    return "\n".join([*lines, ""])


def _difference(evaluation: dict[str, Any], baseline: dict[str, Any] | None, score: str) -> str:
    if baseline is None:
        return ""
    return f" ({evaluation[score] - baseline[score]:+.4f})"


def render_text(evaluation: dict[str, Any]) -> str:
    """The scores and the confusion matrix as columns of text."""
    lines = [f"{'class':<10} {'precision':>9} {'recall':>7} {'f1':>7} {'rows':>6}"]
    lines += [
        f"{name:<10} {scores['precision']:>9.3f} {scores['recall']:>7.3f} {scores['f1']:>7.3f} "
        f"{scores['rows']:>6}"
        for name, scores in evaluation["classes"].items()
    ]
    classes = evaluation["confusion_matrix"]["classes"]
    width = max(len(name) for name in classes)
    lines += ["", f"{'true class':<{width}}  predicted: {' '.join(f'{name[:5]:>5}' for name in classes)}"]
    lines += [
        f"{name:<{width}}             {' '.join(f'{count:>5}' for count in row)}"
        for name, row in zip(classes, evaluation["confusion_matrix"]["rows"], strict=True)
    ]
    lines += ["", f"accuracy {evaluation['accuracy']:.4f}, macro F1 {evaluation['macro_f1']:.4f}"]
    return "\n".join(lines)
