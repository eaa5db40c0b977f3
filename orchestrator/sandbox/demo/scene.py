"""The chapters and scenes of the demo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.sandbox.demo.stage import Stage


@dataclass(frozen=True)
class SceneStep:
    """One scene: a title, a sentence or two, and what happens.

    `pictured` is how many lines of a page the demo's picture has of it; with 0 the scene is not in it.
    """

    title: str
    text: str
    act: Callable[[Stage], None]
    pictured: int = 0


@dataclass(frozen=True)
class Chapter:
    """Scenes that belong together."""

    title: str
    steps: tuple[SceneStep, ...]


def play(stage: Stage, story: Sequence[Chapter]) -> None:
    """Run the scenes; SandboxError at the first check that fails."""
    total = sum(len(chapter.steps) for chapter in story)
    number = 0
    for chapter in story:
        stage.narrator.chapter(chapter.title)
        for step in chapter.steps:
            number += 1
            stage.narrator.scene(f"{number}/{total} {step.title}", step.text, pictured=step.pictured)
            step.act(stage)
