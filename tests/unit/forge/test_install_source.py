"""Where infra comes from, as people name it and as installers record it."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.errors import UsageError
from orchestrator.forge.github.install_step import InstallParts, render_install_step
from orchestrator.forge.install_source import (
    ActionSource,
    GitSource,
    ReleaseSource,
    Source,
    UnknownSource,
    committed_source,
    parse_source,
    source_of_record,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HASHES = (f"--hash=sha256:{'a' * 64}", f"--hash=sha256:{'b' * 64}")
SOURCES: list[tuple[str, Source]] = [
    (f"git+https://github.com/acme/infra@{COMMIT}", GitSource("https://github.com/acme/infra", COMMIT)),
    (
        f"git+ssh://git@git.acme.dev:22/a/b.git@{COMMIT}",
        GitSource("ssh://git@git.acme.dev:22/a/b.git", COMMIT),
    ),
    (
        f"infra-orchestrator==1.2.0rc1 {' '.join(HASHES)}",
        ReleaseSource("infra-orchestrator", "1.2.0rc1", HASHES),
    ),
    (f"acme/infra@{COMMIT}", ActionSource("acme/infra", COMMIT)),
    (f"acme/tools/infra@{COMMIT}", ActionSource("acme/tools/infra", COMMIT)),
]


@pytest.mark.parametrize(("text", "source"), SOURCES)
def test_a_source_that_is_fixed_is_read_and_written_alike(text: str, source: Source) -> None:
    assert parse_source(f" {text} ") == source
    assert str(source) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "infra-orchestrator",
        "infra-orchestrator==1.0",
        f"infra-orchestrator>=1.0 {HASHES[0]}",
        "infra-orchestrator==1.0 --hash=md5:abc",
        "infra-orchestrator==1.0 --hash=sha256:abc",
        "git+https://github.com/acme/infra",
        "git+https://github.com/acme/infra@main",
        f"git+https://github.com/acme/infra@{COMMIT[:12]}",
        f"git+http://github.com/acme/infra@{COMMIT}",
        f"git+file:///work/infra@{COMMIT}",
        f"git+https://user:secret@github.com/acme/infra@{COMMIT}",
        f'git+https://github.com/acme/infra";touch x;"@{COMMIT}',
        f"git+https://github.com/$(touch x)@{COMMIT}",
        "acme/infra@v1",
        f"acme@{COMMIT}",
        f"./infra@{COMMIT}",
        f"acme/infra@{COMMIT}\n      - run: touch x",
        ".",
        "/work/infra",
    ],
)
def test_what_can_be_given_to_other_code_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_source(text)
    assert "infra init --from" in raised.value.advice


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gs://acme/infra.whl", "do not install infra from gs://"),
        (f"git+gs://acme/infra@{COMMIT}", "do not install infra from git+gs://"),
        ("https://example.com/infra.whl", "do not install infra from https://"),
        (f"git+https://ada:hunter2@example.com/infra@{COMMIT}", "holds a password"),
        ("gs://ada:hunter2@acme/infra", "do not install infra from gs://"),
        ("acme/infra@v1", "does not name one fixed version"),
        ("x" * 5_000, "does not name one fixed version"),
    ],
)
def test_why_a_source_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_source(text)
    assert message in raised.value.message
    assert "hunter2" not in raised.value.message
    assert len(raised.value.message) < 500


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            {"url": "https://github.com/acme/infra", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
            GitSource("https://github.com/acme/infra", COMMIT),
        ),
        (
            {
                "url": "https://github.com/acme/all",
                "vcs_info": {"vcs": "git", "commit_id": COMMIT},
                "subdirectory": "infra",
            },
            "the jobs cannot reach",
        ),
        ({"url": "file:///work/infra", "vcs_info": {"vcs": "git", "commit_id": COMMIT}}, "cannot reach"),
        ({"url": "https://hg.acme.dev/x", "vcs_info": {"vcs": "hg", "commit_id": COMMIT}}, "a single file"),
        ({"url": "file:///work/infra", "dir_info": {"editable": True}}, "editable"),
        ({"url": "file:///work/infra", "dir_info": {}}, "folder"),
        ({"url": "file:///x/infra-1.whl", "archive_info": {"hash": "sha256=ab"}}, "a single file"),
        ({"url": 1, "vcs_info": {"vcs": "git"}}, "cannot reach"),
        ({}, "a single file"),
    ],
)
def test_what_installers_record_names_the_source_or_why_not(
    record: dict[str, Any], expected: Source | str
) -> None:
    source = source_of_record(record)
    if isinstance(source, UnknownSource):
        assert isinstance(expected, str)
        assert expected in source.reason
    else:
        assert source == expected


@pytest.mark.parametrize("source", [source for _, source in SOURCES])
@pytest.mark.parametrize("parts", ["none", "embedded", "own", "sandbox"])
def test_a_committed_workflow_states_where_it_installs_from(source: Source, parts: InstallParts) -> None:
    assert committed_source(f"steps:\n{render_install_step(source, parts)}      - run: x\n") == source


def test_another_workflow_reports_nothing() -> None:
    assert committed_source("steps:\n  - run: pip install infra-orchestrator\n") is None
