"""Chooses the layout of a repository without infra.yaml: from its code, and by one question where needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from orchestrator.repository.layout_survey import Answers, Layout, Survey

Ask = Callable[[str], str]


def choose_layout(look: Callable[[Answers], Survey], answers: Answers, ask: Ask | None) -> Layout:
    """The layout to write settings for. `ask` puts a question to a person; None where nobody is there.

    Raises ConfigError where only a person can decide and nobody is there, UsageError for an answer that is
    none of the choices.
    """
    from orchestrator.repository.layout import INIT_ADVICE, suggestion

    result = look(answers)
    if not result.layouts:
        if ask is None:
            raise ConfigError(result.question, advice=INIT_ADVICE)
        names = ask(f"{result.question}\nThe environments, in promotion order, such as `dev prod`: ")
        if not names.split():
            raise UsageError("No environment was named.", advice=INIT_ADVICE)
        answers = replace(answers, environments=tuple(names.split()))
        result = look(answers)
        if not result.layouts:
            raise ConfigError(result.question, advice=INIT_ADVICE)
    layout = result.layouts[0]
    if len(result.layouts) > 1:
        if ask is None:
            raise ConfigError("The environments can be read in more than one way.", advice=suggestion(result))
        layout = _ask_which(result, ask)
    if layout.unordered and ask is not None:
        layout = _ask_order(look, answers, layout, ask)
    if layout.needs_bucket and not answers.bucket and ask is not None:
        bucket = ask(f"The bucket of the states of {', '.join(layout.lacking[:4])} (empty: later): ")
        if bucket:
            answers = replace(
                answers, bucket=bucket, environments=answers.environments or layout.environments
            )
            layout = next(each for each in look(answers).layouts if each.config.roots == layout.config.roots)
    return layout


def _ask_which(result: Survey, ask: Ask) -> Layout:
    from orchestrator.repository.layout import flow_settings

    lines = [
        f"  {number}. {flow_settings(layout)} ({', '.join(layout.environments + layout.unordered)})"
        for number, layout in enumerate(result.layouts, 1)
    ]
    answer = ask("\n".join(["The environments can be read in more than one way:", *lines, "Which one? "]))
    if not answer.isdigit() or not 1 <= int(answer) <= len(result.layouts):
        raise UsageError(f"{answer or 'Nothing'} is none of the choices.", advice="Answer with a number.")
    return result.layouts[int(answer) - 1]


def _ask_order(look: Callable[[Answers], Survey], answers: Answers, layout: Layout, ask: Ask) -> Layout:
    """Asks for the promotion order; an empty answer leaves out what has no usual place."""
    names = (*layout.environments, *layout.unordered)
    answer = ask(
        f"The promotion order of {', '.join(names)} (empty: {', '.join(layout.environments) or 'none'}): "
    ).split()
    if not answer:
        return layout
    if strangers := [name for name in answer if name not in names]:
        raise UsageError(f"{strangers[0]} is none of {', '.join(names)}.", advice="Separate names by spaces.")
    layouts = look(replace(answers, environments=tuple(answer))).layouts
    return next(each for each in layouts if each.config.roots == layout.config.roots)
