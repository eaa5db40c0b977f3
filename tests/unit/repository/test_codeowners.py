"""CODEOWNERS as GitHub reads it: places, patterns, the last match."""

from __future__ import annotations

import time

import pytest

from orchestrator.repository.codeowners import CodeOwners, parse, read
from orchestrator.repository.loading import load
from tests.conftest import MakeRepo

GUIDE = """
# The example of GitHub's guide.
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/*  docs@example.com
apps/ @octocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/github
"""


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("README.md", ("@global-owner1", "@global-owner2")),
        ("deep/down/a.js", ("@js-owner",)),
        ("a.go", ("docs@example.com",)),
        ("b/c.txt", ("@octo-org/octocats",)),
        ("build/logs/x/y", ("@octocat",)),
        ("docs/getting-started.md", ("docs@example.com",)),
        ("docs/build-app/troubleshooting.md", ("@global-owner1", "@global-owner2")),
        ("apps/one", ("@octocat",)),
        ("x/apps/one/two", ("@octocat",)),
        ("scripts/run", ("@doctocat", "@octocat")),
        ("x/scripts/run", ("@global-owner1", "@global-owner2")),
        ("deeply/nested/logs/today", ("@octocat",)),
        ("apps/github/x", ()),
    ],
)
def test_the_guide(path: str, owners: tuple[str, ...]) -> None:
    assert parse(GUIDE).of(path) == owners


@pytest.mark.parametrize(
    ("pattern", "matches", "misses"),
    [
        ("*", ["a", "a/b/c"], []),
        ("/*", ["a"], ["a/b"]),
        ("/infra.yaml", ["infra.yaml"], ["x/infra.yaml", "infra.yaml.bak"]),
        ("infra.yaml", ["infra.yaml", "x/infra.yaml"], ["my-infra.yaml"]),
        (".github/", [".github/workflows/a.yml", "x/.github/a"], [".github"]),
        ("/infra/envs/prod", ["infra/envs/prod/a/b.tf", "infra/envs/prod"], ["infra/envs/production/a"]),
        ("infra/*/prod", ["infra/envs/prod/x"], ["infra/a/b/prod/x", "x/infra/envs/prod/y"]),
        ("infra/**/main.tf", ["infra/main.tf", "infra/a/b/main.tf"], ["infra/a/main.tfvars"]),
        ("**/policies/**", ["policies/a.rego", "x/policies/y/b.rego"], ["policies"]),
        ("*.tf", ["a.tf", "x/y.tf"], ["a.tfvars"]),
        ("a?.tf", ["ab.tf"], ["a/.tf", "abc.tf"]),
        ("with\\ space/", ["with space/a"], ["with/a"]),
        ("a.b", ["a.b"], ["axb"]),
        ("/", [], ["a"]),
        ("Docs/", ["Docs/a"], ["docs/a"]),
    ],
)
def test_patterns(pattern: str, matches: list[str], misses: list[str]) -> None:
    code_owners = parse(f"{pattern} @me\n")
    assert [path for path in matches if not code_owners.of(path)] == []
    assert [path for path in misses if code_owners.of(path)] == []


def test_lines_that_github_skips_are_reported_and_match_nothing() -> None:
    code_owners = parse("* @all\n!a.tf @me\n[ab].tf @me\n\\#x @me\nb.tf me\nc.tf @org/team/more\nd.tf\n")
    assert [line for line, _ in code_owners.mistakes] == [2, 3, 4, 5, 6]
    assert "me is not an owner" in code_owners.mistakes[3][1]
    assert code_owners.of("a.tf") == ("@all",)
    assert code_owners.of("d.tf") == ()
    assert code_owners.rule("d.tf") is not None


def test_the_first_location_counts(make_repo: MakeRepo) -> None:
    repo = make_repo({"README.md": "x", "docs/CODEOWNERS": "* @docs\n"})
    assert read(load(repo.root).tree).of("a") == ("@docs",)
    repo.commit({"CODEOWNERS": "* @root\n"})
    assert read(load(repo.root).tree).of("a") == ("@root",)
    repo.commit({".github/CODEOWNERS": "b @github\n"})
    code_owners = read(load(repo.root).tree)
    assert (code_owners.file, code_owners.of("a"), code_owners.of("b")) == (
        ".github/CODEOWNERS",
        (),
        ("@github",),
    )


def test_no_file_is_no_owners(make_repo: MakeRepo) -> None:
    assert read(load(make_repo().root).tree) == CodeOwners()


@pytest.mark.parametrize(
    "pattern", ["**/*a*a*a****/**?", "*a" * 300 + "b", "**/a/" * 100 + "b", "/**" * 100 + "/x"]
)
def test_many_stars_take_no_time(pattern: str) -> None:
    owners = parse(f"{pattern} @acme/a")
    begun = time.process_time()
    for path in ("a" * 300, "a/" * 500 + "c", ("a" * 100 + "/") * 20 + "c"):
        owners.of(path)
    assert time.process_time() - begun < 5
