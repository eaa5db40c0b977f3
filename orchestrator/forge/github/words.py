"""The names that GitHub has for things."""

from __future__ import annotations

from orchestrator.forge.words import ForgeWords

GITHUB_WORDS = ForgeWords(
    name="GitHub",
    bot_suffix="[bot]",
    web_committer="web-flow",
    job_login="github-actions[bot]",
    variables="GITHUB_REPOSITORY and GITHUB_TOKEN",
)
