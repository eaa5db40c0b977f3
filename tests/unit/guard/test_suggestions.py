"""Entries of infra.yaml that would accept what is there."""

from __future__ import annotations

import pytest

from orchestrator.config import load_text
from orchestrator.errors import ConfigError
from orchestrator.guard.suggestions import group_paths, render_suggestions, suggest
from orchestrator.repository.model import Finding


def finding(code: str, file: str, listed: tuple[str, str] | None = None, severity: str = "error") -> Finding:
    return Finding(severity, code, "m", file=file, line=1, listed=listed)  # type: ignore[arg-type]


def test_files_of_a_folder_are_put_together() -> None:
    names = {f"modules/m{number}/main.tf": 2 for number in range(5)} | {"envs/dev/a/main.tf": 1}
    assert group_paths(names) == [("envs/dev/a/main.tf", 1), ("modules/**", 10)]
    assert group_paths({"a.tf": 1, "b.tf": 1, "c.tf": 1}) == [("a.tf", 1), ("b.tf", 1), ("c.tf", 1)]
    assert group_paths({"m/a.tf": 1, "m/b.tf": 1}) == [("m/a.tf", 1), ("m/b.tf", 1)]
    deep = {f"a/b{outer}/c{inner}/x.tf": 1 for outer in range(3) for inner in range(3)}
    assert group_paths(deep) == [("a/**", 9)]


def test_lists_come_before_paths_and_state_what_they_open() -> None:
    findings = [
        *(finding("file-path", f"modules/m{number}/main.tf") for number in range(4)),
        *(finding("provider", "x.tf", ("providers", "acme/x")) for _ in range(2)),
        *(finding("module-source", "x.tf", ("modules", f"org/m{number}/google")) for number in range(4)),
        *(
            finding("module-source", "x.tf", ("modules", f"org/a/google//modules/{name}"))
            for name in ("b", "c", "d")
        ),
        finding("lock-file", "x", severity="info"),
        finding("changed-config", "infra.yaml"),
    ]
    suggestions = suggest(findings)
    assert [(suggestion.key, suggestion.value, suggestion.findings) for suggestion in suggestions] == [
        ("providers", "acme/x", 2),
        ("modules", '"org/*"', 7),
        ("allow", '{rule: file-path, path: "modules/**", reason: …}', 4),
    ]
    assert all(suggestion.opens for suggestion in suggestions)


def test_what_is_printed_is_a_valid_section_once_it_has_reasons() -> None:
    findings = [
        finding("provider", "x.tf", ("providers", "acme/x")),
        finding("file-path", "modules/[m]/main.tf"),
    ]
    text = render_suggestions(suggest(findings), {"providers": ("hashicorp/google",)})
    with pytest.raises(ConfigError, match="say why"):
        load_text(text)
    config = load_text(text.replace("reason: …", "reason: seen by the owners"))
    assert config.guard.providers == ("hashicorp/google", "acme/x")
    assert [(rule.rule, rule.path) for rule in config.guard.allow] == [("file-path", "modules/[m]/main.tf")]
    assert "Nothing to add" in render_suggestions((), {})
