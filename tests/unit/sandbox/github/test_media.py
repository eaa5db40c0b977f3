"""Media types: a file as it is, changes as diffs and patches; what is not served is refused."""

from __future__ import annotations

from tests.support.github import ServedGitHub

ADDED = "+1\n"


def accept(kind: str) -> dict[str, str]:
    return {"Accept": f"application/vnd.github.{kind}"}


def test_a_file_as_it_is(github: ServedGitHub, token: str) -> None:
    for kind in ("raw", "raw+json", "v3.raw"):
        status, headers, text = github.ask(token, "GET", "/contents/README.md", **accept(kind))
        assert (status, text) == (200, "A project.\n")
        assert headers["content-type"].startswith("application/vnd.github.raw")


def test_changes_as_diff_and_patch(github: ServedGitHub, token: str) -> None:
    github.commit("feature", {"a.tf": "1\n"}, "Add a")
    head = github.commit("feature", {"b.tf": "1\n"}, "Add b")
    number = github.open("feature")
    github.commit("main", {"c.tf": "1\n"}, "Trunk goes on")

    whole = github.ask(token, "GET", f"/pulls/{number}", **accept("diff"))[2]
    last = github.ask(token, "GET", f"/commits/{head}", **accept("v3.diff"))[2]
    assert [line for line in whole.splitlines() if line.startswith("+++")] == ["+++ b/a.tf", "+++ b/b.tf"]
    assert [line for line in last.splitlines() if line.startswith("+++")] == ["+++ b/b.tf"]
    assert ADDED in whole
    patches = github.ask(token, "GET", f"/pulls/{number}", **accept("patch"))[2]
    assert [line for line in patches.splitlines() if line.startswith("Subject: ")] == [
        "Subject: [PATCH 1/2] Add a",
        "Subject: [PATCH 2/2] Add b",
    ]
    assert github.ask(token, "GET", "/commits/feature", **accept("sha"))[2] == head


def test_the_first_commit_has_a_diff_too(github: ServedGitHub, token: str) -> None:
    text = github.ask(token, "GET", "/commits/main", **accept("diff"))[2]
    assert "+A project." in text
    assert "+A project." in github.ask(token, "GET", "/commits/main", **accept("patch"))[2]


def test_json_stays_json_and_a_form_that_is_not_served_is_refused(github: ServedGitHub, token: str) -> None:
    for kind in ("json", "v3+json", "antiope-preview+json", "raw"):
        status, _, commit = github.ask(token, "GET", "/commits/main", **accept(kind))
        assert (status, len(commit["sha"])) == (200, 40)
    for kind in ("html", "object+json", "diff"):
        status, _, answer = github.ask(token, "GET", "/contents/README.md", **accept(kind))
        assert (status, answer["status"]) == (415, "415")
