"""Issues, comments, labels and the timeline over the API."""

from __future__ import annotations

import pytest

from tests.support.github import BOT, ServedGitHub


def test_an_issue_is_closed_and_opened_again(github: ServedGitHub, token: str) -> None:
    status, _, created = github.ask(
        token, "POST", "/issues", {"title": "Drift", "labels": ["drift"], "assignees": ["ada"]}
    )
    number = created["number"]
    assert status == 201
    assert (
        [label["name"] for label in created["labels"]],
        [assignee["login"] for assignee in created["assignees"]],
    ) == (
        ["drift"],
        ["ada"],
    )

    _, _, closed = github.ask(
        token, "PATCH", f"/issues/{number}", {"state": "closed", "state_reason": "not_planned"}
    )
    assert (closed["state"], closed["state_reason"], closed["closed_by"]["login"]) == (
        "closed",
        "not_planned",
        BOT,
    )
    _, _, reopened = github.ask(token, "PATCH", f"/issues/{number}", {"state": "open"})
    assert (reopened["state"], reopened["state_reason"], reopened["closed_at"]) == ("open", "reopened", None)

    _, _, events = github.ask(token, "GET", f"/issues/{number}/events")
    assert [event["event"] for event in events] == ["labeled", "assigned", "closed", "reopened"]


def test_who_has_no_role_cannot_be_assigned(github: ServedGitHub, token: str) -> None:
    status, _, answer = github.ask(token, "POST", "/issues", {"title": "Drift", "assignees": ["ada", "gone"]})

    assert (status, answer["errors"][0]["value"]) == (422, "gone")
    assert github.issues() == []
    assert github.ask(token, "GET", "/assignees/ada")[0] == 204
    assert github.ask(token, "GET", "/assignees/gone")[0] == 404


def test_issues_are_found_by_labels_and_state(github: ServedGitHub, token: str) -> None:
    github.open_issue("One", labels=["drift", "dev"])
    two = github.open_issue("Two", labels=["drift"])
    github.open_issue("Three")
    github.close(two)

    def numbers(query: str) -> list[int]:
        _, _, documents = github.ask(token, "GET", f"/issues?{query}")
        return [document["number"] for document in documents]

    assert numbers("labels=drift") == [1]
    assert numbers("labels=drift&state=all") == [2, 1]
    assert numbers("labels=drift,dev&state=all") == [1]
    assert numbers("state=closed") == [2]
    assert numbers("state=all&sort=created&direction=asc") == [1, 2, 3]
    assert numbers("state=all&since=2030-01-01T00:00:00Z") == []


def test_a_comment_is_edited_and_taken_away(github: ServedGitHub, token: str) -> None:
    number = github.open_issue("One")
    _, headers, created = github.ask(token, "POST", f"/issues/{number}/comments", {"body": "First"})
    assert headers["location"] == created["url"]

    github.ask(token, "PATCH", f"/issues/comments/{created['id']}", {"body": "Second"})
    assert [(comment.author, comment.body) for comment in github.comments(number)] == [(BOT, "Second")]
    assert github.ask(token, "DELETE", f"/issues/comments/{created['id']}")[0] == 204

    assert github.comments(number) == []
    assert github.ask(token, "GET", f"/issues/comments/{created['id']}")[0] == 404


@pytest.mark.parametrize(("length", "status"), [(65_536, 201), (65_537, 422)])
def test_a_comment_is_only_so_long(github: ServedGitHub, token: str, length: int, status: int) -> None:
    number = github.open_issue("One")

    answered_status, _, _ = github.ask(token, "POST", f"/issues/{number}/comments", {"body": "x" * length})

    assert answered_status == status
    assert len(github.comments(number)) == (status == 201)


def test_a_reaction_is_set_once(github: ServedGitHub, token: str) -> None:
    comment = github.comment(github.open_issue("One"), "ada", "/infra plan")
    path = f"/issues/comments/{comment}/reactions"

    assert [github.ask(token, "POST", path, {"content": "eyes"})[0] for _ in range(2)] == [201, 200]
    assert github.ask(token, "POST", path, {"content": "bored"})[0] == 422

    _, _, documents = github.ask(token, "GET", path)
    assert [(document["content"], document["user"]["login"]) for document in documents] == [("eyes", BOT)]


def test_who_set_a_label_and_when_is_reported(github: ServedGitHub, token: str) -> None:
    github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature")
    github.label(number, "allow-destroy", by="olga")
    github.unlabel(number, "allow-destroy", by="bert")
    github.label(number, "allow-destroy", by="ada")

    _, _, documents = github.ask(token, "GET", f"/issues/{number}/events")

    assert [
        (document["event"], document["actor"]["login"], document["label"]["name"]) for document in documents
    ] == [
        ("labeled", "olga", "allow-destroy"),
        ("unlabeled", "bert", "allow-destroy"),
        ("labeled", "ada", "allow-destroy"),
    ]
    times = [document["created_at"] for document in documents]
    assert times == sorted(set(times))


def test_the_timeline_has_everything_in_order(github: ServedGitHub, token: str) -> None:
    github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature")
    github.comment(number, "ada", "Please look")
    github.review(number, "bert")
    github.label(number, "large")
    github.merge(number)

    _, _, documents = github.ask(token, "GET", f"/issues/{number}/timeline")

    kinds = [document["event"] for document in documents]
    assert kinds == ["committed", "commented", "reviewed", "labeled", "merged", "closed"]


def test_labels_are_the_same_in_any_case(github: ServedGitHub, token: str) -> None:
    number = github.open_issue("One", labels=["Drift"])

    github.ask(token, "POST", f"/issues/{number}/labels", {"labels": ["drift", "dev"]})
    assert github.issue(number).labels == ["Drift", "dev"]
    github.ask(token, "PUT", f"/issues/{number}/labels", {"labels": ["dev"]})
    assert github.issue(number).labels == ["dev"]

    assert github.ask(token, "DELETE", f"/issues/{number}/labels/DEV")[0] == 200
    assert github.ask(token, "DELETE", f"/issues/{number}/labels/dev")[0] == 404
    assert github.ask(token, "POST", "/labels", {"name": "DRIFT"})[0] == 422
    assert github.ask(token, "GET", "/labels/drift")[2]["name"] == "Drift"
    assert [document["name"] for document in github.ask(token, "GET", "/labels")[2]] == ["Drift", "dev"]


def test_a_long_list_comes_in_pages(github: ServedGitHub, token: str) -> None:
    number = github.open_issue("One")
    for at in range(7):
        github.comment(number, "ada", f"{at}")

    bodies: list[str] = []
    path = f"/issues/{number}/comments?per_page=3"
    while path:
        _, headers, documents = github.ask(token, "GET", path)
        bodies += [document["body"] for document in documents]
        links = {
            part.split('"')[1]: part.split(";")[0].strip(" <>")
            for part in headers.get("link", "").split(",")
            if part
        }
        path = links.get("next", "").partition(github.repository)[2]

    assert bodies == [str(at) for at in range(7)]
    assert set(links) == {"prev", "first"}
    assert len(github.ask(token, "GET", f"/issues/{number}/comments?per_page=1000")[2]) == 7


def test_everything_of_an_issue_changes(github: ServedGitHub, token: str) -> None:
    number = github.open_issue("Old", labels=["drift", "dev"])

    _, _, answer = github.ask(
        token,
        "PATCH",
        f"/issues/{number}",
        {"title": "New", "body": "Text", "labels": ["dev", "prod"], "assignees": ["ada"]},
    )
    github.ask(token, "PATCH", f"/issues/{number}", {"assignees": ["bert"]})

    assert (answer["title"], answer["body"], [label["name"] for label in answer["labels"]]) == (
        "New",
        "Text",
        ["dev", "prod"],
    )
    issue = github.issue(number)
    assert issue.assignees == ["bert"]
    assert [event.kind for event in issue.events][2:] == [
        *("renamed", "unlabeled", "labeled", "assigned", "unassigned", "assigned"),
    ]
    assert github.ask(token, "GET", f"/issues/{number}/events")[0] == 200
    assert github.ask(token, "GET", "/issues?assignee=bert&creator=ada")[2][0]["number"] == number


def test_a_reader_opens_an_issue_without_labels(github: ServedGitHub) -> None:
    body = {"title": "Help", "labels": ["drift"], "assignees": ["ada"]}

    status, _, answer = github.ask(github.token("rita"), "POST", "/issues", body)

    assert (status, answer["labels"], answer["assignees"]) == (201, [], [])
    assert github.ask(github.token("rita"), "POST", "/issues", {"title": " "})[0] == 422
    assert github.ask(github.token("rita"), "POST", "/issues", {})[0] == 422


def test_only_writers_change_the_comments_of_others(github: ServedGitHub) -> None:
    comment = github.comment(github.open_issue("One"), "rita", "Mine")
    path = f"/issues/comments/{comment}"
    github.user("carl", "read")

    assert github.ask(github.token("carl"), "PATCH", path, {"body": "Not yours"})[0] == 403
    assert github.ask(github.token("rita"), "PATCH", path, {"body": "Mine still"})[0] == 200
    assert github.ask(github.token("ada"), "DELETE", path)[0] == 204


def test_a_label_is_made_with_a_colour(github: ServedGitHub, token: str) -> None:
    created = {"name": "allow destroy", "color": "ff0000", "description": "Deletions are meant"}

    assert github.ask(token, "POST", "/labels", created)[0] == 201

    _, _, answer = github.ask(token, "GET", "/labels/allow%20destroy")
    assert {name: answer[name] for name in created} == created
    number = github.open_issue("One", labels=["Allow Destroy"])
    assert [document["name"] for document in github.ask(token, "GET", f"/issues/{number}/labels")[2]] == [
        "allow destroy"
    ]
