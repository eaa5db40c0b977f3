"""Pages as a reader gets them."""

from __future__ import annotations

import pytest

from tests.support.github import ServedGitHub


def page(github: ServedGitHub, path: str) -> str:
    """The page below the repository."""
    status, headers, text = github.ask("", "GET", f"//{github.repository}{path}", Authorization="")
    assert status == 200, text
    assert headers["content-security-policy"].startswith("default-src 'none'")
    return str(text)


def test_a_pull_request_shows_its_complete_history(github: ServedGitHub, token: str) -> None:
    head = github.commit("feature", {"a.tf": "1\n"}, "Add <a>")
    number = github.open("feature", "Give & take <b>", body="For @bert")
    comment = github.comment(number, "github-actions[bot]", "## Plan\n\n| a |\n|---|\n| b |\n")
    github.ask(token, "POST", f"/issues/comments/{comment}/reactions", {"content": "rocket"})
    github.review(number, "bert")
    github.label(number, "allow-destroy")
    remark = {
        "path": "a.tf",
        "start_line": 3,
        "end_line": 3,
        "annotation_level": "failure",
        "message": "<No>",
    }
    output = {"title": "1 refused", "summary": "**s**", "annotations": [remark]}
    body = {"name": "infra / dev", "head_sha": head, "conclusion": "failure", "output": output}
    _, _, check = github.ask(token, "POST", "/check-runs", body)
    github.ask(token, "POST", f"/statuses/{head}", {"context": "lint", "state": "success"})

    text = page(github, f"/pull/{number}")
    assert "Give &amp; take &lt;b&gt;" in text
    assert '<span class="badge open">Open</span>' in text
    assert '<a class="mention" href="/bert">@bert</a>' in text
    story = ["Add &lt;a&gt;", "<h2>Plan</h2>", "🚀 1", "approved these changes", "added the label", "lint"]
    assert [text.index(document) for document in story] == sorted(text.index(document) for document in story)
    assert "Some checks were not successful" in text
    assert "<code>a.tf:3</code>" in text
    assert "&lt;No&gt;" in text

    merged = github.merge(number, "squash")
    deployed = {"ref": merged, "environment": "dev", "required_contexts": []}
    _, _, created = github.ask(token, "POST", "/deployments", deployed)
    path = f"/deployments/{created['id']}/statuses"
    github.ask(token, "POST", path, {"state": "success", "description": "3 applied"})

    text = page(github, f"/pull/{number}")
    assert '<span class="badge merged">Merged</span>' in text
    assert f"merged commit <code>{merged[:7]}</code>" in text
    assert "3 applied" in text
    assert "<strong>s</strong>" in page(github, f"/runs/{check['id']}")


def test_lists_and_issues(github: ServedGitHub) -> None:
    assert "There are none." in page(github, "/pulls")
    number = github.open_issue("Drift in prod", labels=["drift"])
    github.close(number)
    github.commit("feature", {"a.tf": "1\n"})
    pull = github.open("feature", draft=True)

    assert f'href="/acme/infra/issues/{number}"' in page(github, "/issues")
    assert "Drift in prod" not in page(github, "/pulls")
    assert "Draft" in page(github, "/pulls")
    assert "closed this as completed" in page(github, f"/issues/{number}")
    status, headers, _ = github.ask("", "GET", f"//{github.repository}/issues/{pull}", Authorization="")
    assert (status, headers["location"]) == (302, f"/acme/infra/pull/{pull}")
    assert "acme/infra" in github.ask("", "GET", "//", Authorization="")[2]


@pytest.mark.parametrize("path", ["/acme/infra/pull/9", "/acme/other/pulls", "/x", "/acme/infra/runs/9"])
def test_a_page_that_is_not_there(github: ServedGitHub, path: str) -> None:
    status, headers, _ = github.ask("", "GET", f"/{path}", Authorization="", Accept="text/html,*/*")
    assert (status, headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_a_client_of_the_api_receives_errors_as_json(github: ServedGitHub) -> None:
    for path in ("/graphql", "/repositories/1", "/search/issues", "/acme/infra/pull/9"):
        for method in ("GET", "POST", "DELETE"):
            status, _, answer = github.ask("", method, f"/{path}", Authorization="")
            assert (status, answer["message"], answer["status"]) == (404, "Not Found", "404")


def test_a_page_is_not_read_under_another_name(github: ServedGitHub) -> None:
    path = f"//{github.repository}/pulls"

    assert github.ask("", "GET", path, Authorization="", Host="evil.example.com")[0] == 404
    assert github.ask("", "GET", path, Authorization="", Host="localhost")[0] == 200


def test_a_conflict_is_seen(github: ServedGitHub) -> None:
    github.commit("feature", {"a.tf": "mine\n"})
    number = github.open("feature")
    assert "no conflicts" in page(github, f"/pull/{number}")

    github.commit("main", {"a.tf": "theirs\n"})

    assert "conflicts that must be resolved" in page(github, f"/pull/{number}")
