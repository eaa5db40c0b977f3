"""Pull requests: what they follow, and what merging them does to trunk."""

from __future__ import annotations

import pytest

from orchestrator.sandbox.github.errors import GitHubError
from tests.support.github import ServedGitHub


def test_head_and_test_merge_are_fetched_as_references(github: ServedGitHub) -> None:
    head = github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature")
    pull = github.pull(number).pull

    assert pull
    assert (pull.head, pull.mergeable) == (head, True)
    with github.locked_repository as github_repository:
        assert github_repository.git.resolve(f"refs/pull/{number}/head") == head
        assert github_repository.git.resolve(f"refs/pull/{number}/merge") == pull.merge_commit
        assert github_repository.git.commit(pull.merge_commit).parents == (github.trunk, head)


def test_a_push_moves_the_head_and_the_test_merge(github: ServedGitHub, token: str) -> None:
    github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature")
    before = github.pull(number).pull
    assert before
    merge = before.merge_commit

    head = github.commit("feature", {"b.tf": "1\n"})

    _, _, answer = github.ask(token, "GET", f"/pulls/{number}")
    assert answer["head"]["sha"] == head
    assert answer["merge_commit_sha"] != merge
    assert answer["commits"] == 2


def test_a_force_push_is_reported(github: ServedGitHub) -> None:
    github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature")
    github.work.git("checkout", "-q", "--detach", "origin/main")
    head = github.work.commit({"b.tf": "1\n"}, "Another")
    github.push(github.work, "feature", force=True)

    events = github.pull(number).events

    assert [(event.kind, event.commit) for event in events] == [("head_ref_force_pushed", head)]


def test_a_conflict_is_not_mergeable_until_it_is_solved(github: ServedGitHub) -> None:
    github.commit("feature", {"a.tf": "mine\n"})
    number = github.open("feature")
    github.commit("main", {"a.tf": "theirs\n"})

    pull = github.pull(number).pull
    assert pull
    assert pull.mergeable is False
    with pytest.raises(GitHubError) as error:
        github.merge(number)
    assert error.value.status == 405

    github.work.git("checkout", "-q", "--detach", "origin/feature")
    github.work.git("fetch", "-q", "origin")
    github.work.git("merge", "-q", "-X", "ours", "-m", "Solve", "origin/main")
    github.push(github.work, "feature")
    assert github.merge(number) == github.trunk


def test_a_merge_commit_has_both_parents(github: ServedGitHub) -> None:
    trunk = github.trunk
    head = github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature", "Add a")

    merged = github.merge(number)

    issue = github.pull(number)
    assert github.trunk == merged
    with github.locked_repository as github_repository:
        commit = github_repository.git.commit(merged)
        assert commit.parents == (trunk, head)
        assert commit.message == f"Merge pull request #{number} from acme/feature\n\nAdd a"
    assert issue.pull
    assert (issue.state, issue.pull.merged_by, issue.pull.merge_commit) == ("closed", "olga", merged)
    assert [event.kind for event in issue.events] == ["merged", "closed"]


def test_a_squash_is_one_commit_on_trunk(github: ServedGitHub) -> None:
    trunk = github.trunk
    github.commit("feature", {"a.tf": "1\n"})
    github.commit("feature", {"b.tf": "1\n"})
    number = github.open("feature", "Add both")

    merged = github.merge(number, "squash")

    with github.locked_repository as github_repository:
        commit = github_repository.git.commit(merged)
        assert commit.parents == (trunk,)
        assert commit.message == f"Add both (#{number})"
        assert (
            github_repository.git.read(merged, "a.tf")[1]
            == github_repository.git.read(merged, "b.tf")[1]
            == b"1\n"
        )


def test_a_rebase_writes_each_commit_again(github: ServedGitHub, token: str) -> None:
    first = github.commit("feature", {"a.tf": "1\n"}, "One")
    second = github.commit("feature", {"b.tf": "1\n"}, "Two")
    number = github.open("feature")
    trunk = github.commit("main", {"c.tf": "1\n"})

    merged = github.merge(number, "rebase")

    with github.locked_repository as github_repository:
        line = github_repository.git.commits(trunk, merged)
        assert [github_repository.git.commit(document).message for document in line] == ["One", "Two"]
        assert not {first, second} & set(line)
        assert github_repository.git.read(merged, "c.tf")
    for commit in line:
        _, _, documents = github.ask(token, "GET", f"/commits/{commit}/pulls")
        assert [document["number"] for document in documents] == [number]


def test_a_merge_pushed_by_hand_counts_as_merged(github: ServedGitHub) -> None:
    github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature")
    github.work.git("fetch", "-q", "origin")
    github.work.git("checkout", "-q", "--detach", "origin/main")
    github.work.git("merge", "-q", "--no-ff", "-m", "By hand", "origin/feature")
    merge = github.push(github.work, "main")
    github.commit("main", {"later.tf": "1\n"})

    pull = github.pull(number).pull

    assert pull
    assert pull.merged_at
    assert pull.merge_commit == merge


def test_a_queue_merges_each_onto_the_one_before(github: ServedGitHub, token: str) -> None:
    commits = {name: github.commit(name, {f"{name}.tf": "1\n"}) for name in ("one", "two")}
    numbers = [github.open(name) for name in commits]

    group = github.queue(*numbers)
    assert github.trunk == group["base_sha"]
    github.merge_group(group)

    assert github.trunk == group["head_sha"]
    assert all(github.pull(number).state == "closed" for number in numbers)
    for commit, number in zip(commits.values(), numbers, strict=True):
        _, _, documents = github.ask(token, "GET", f"/commits/{commit}/pulls")
        assert [document["number"] for document in documents] == [number]


def test_deleting_the_branch_closes_it_unmerged(github: ServedGitHub) -> None:
    github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature")

    github.delete_branch("feature")

    issue = github.pull(number)
    assert issue.pull
    assert (issue.state, issue.pull.merged_at) == ("closed", "")
    assert [event.kind for event in issue.events] == ["head_ref_deleted", "closed"]
    token = github.token("olga")
    assert github.ask(token, "PATCH", f"/pulls/{number}", {"state": "open"})[0] == 422


def test_a_closed_one_is_opened_again_with_what_was_pushed_meanwhile(
    github: ServedGitHub, token: str
) -> None:
    github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature")
    github.close(number)
    head = github.commit("feature", {"b.tf": "1\n"})

    assert github.ask(token, "PATCH", f"/pulls/{number}", {"state": "open"})[0] == 200

    assert github.head(number) == head
    assert [event.kind for event in github.pull(number).events] == ["closed", "reopened"]


def test_a_branch_reset_to_trunk_closes_it(github: ServedGitHub) -> None:
    github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature")

    github.work.git("fetch", "-q", "origin")
    github.push(github.work, "feature", ref="origin/main", force=True)

    assert github.pull(number).state == "closed"


@pytest.mark.parametrize(
    ("branch", "message"),
    [("main", "No commits between"), ("missing", "Validation Failed"), ("feature", "already exists")],
)
def test_what_cannot_be_opened_is_refused(
    github: ServedGitHub, token: str, branch: str, message: str
) -> None:
    github.commit("feature", {"a.tf": "1\n"})
    github.open("feature")

    status, _, answer = github.ask(token, "POST", "/pulls", {"title": "A", "head": branch, "base": "main"})

    assert status == 422
    assert message in str(answer)


def test_a_moved_head_is_not_merged_by_its_old_name(github: ServedGitHub, token: str) -> None:
    head = github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature")
    github.commit("feature", {"b.tf": "1\n"})

    status, _, _ = github.ask(token, "PUT", f"/pulls/{number}/merge", {"sha": head})

    assert status == 409
    assert github.pull(number).state == "open"


def test_nobody_approves_their_own(github: ServedGitHub) -> None:
    github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature", author="ada")

    status, _, answer = github.ask(
        github.token("ada"), "POST", f"/pulls/{number}/reviews", {"event": "APPROVE"}
    )

    assert (status, answer["message"]) == (422, "Can not approve your own pull request")


def test_a_review_keeps_the_head_it_was_given_on(github: ServedGitHub, token: str) -> None:
    head = github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature")
    github.review(number, "bert")
    github.commit("feature", {"b.tf": "1\n"})

    _, _, documents = github.ask(token, "GET", f"/pulls/{number}/reviews")

    assert [
        (document["state"], document["commit_id"], document["user"]["login"]) for document in documents
    ] == [("APPROVED", head, "bert")]


def test_files_report_renames_and_deletions(github: ServedGitHub, token: str) -> None:
    github.commit("main", {"old.tf": "a = 1\nb = 2\nc = 3\n", "gone.tf": "gone\n"})
    github.commit(
        "feature", {"old.tf": None, "gone.tf": None, "new.tf": "a = 1\nb = 2\nc = 3\n", "x é.tf": "1\n"}
    )
    number = github.open("feature")

    _, _, documents = github.ask(token, "GET", f"/pulls/{number}/files")

    assert [
        (document["filename"], document["status"], document.get("previous_filename"))
        for document in documents
    ] == [
        ("gone.tf", "removed", None),
        ("new.tf", "renamed", "old.tf"),
        ("x é.tf", "added", None),
    ]


def test_pull_requests_are_found_by_state_branch_and_base(github: ServedGitHub, token: str) -> None:
    for name in ("one", "two"):
        github.commit(name, {f"{name}.tf": "1\n"})
        github.open(name)
    github.close(1)

    def numbers(query: str) -> list[int]:
        return [document["number"] for document in github.ask(token, "GET", f"/pulls?{query}")[2]]

    assert numbers("") == [2]
    assert numbers("state=all") == [2, 1]
    assert numbers("state=all&direction=asc") == [1, 2]
    assert numbers("state=closed&sort=updated") == [1]
    assert numbers("head=acme:two") == [2]
    assert numbers("head=acme:one") == numbers("base=other") == []


def test_title_body_and_base_change(github: ServedGitHub, token: str) -> None:
    old = github.trunk
    github.commit("main", {"b.tf": "1\n"})
    with github.locked_repository as github_repository:
        github_repository.git.set_ref("refs/heads/release", old)
    head = github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature")

    status, _, answer = github.ask(
        token, "PATCH", f"/pulls/{number}", {"title": "New", "body": "Why", "base": "release"}
    )

    assert (status, answer["title"], answer["body"], answer["base"]["ref"]) == (200, "New", "Why", "release")
    assert answer["base"]["sha"] == old
    assert [event.kind for event in github.pull(number).events] == ["renamed"]
    assert github.ask(token, "PATCH", f"/pulls/{number}", {"base": "gone"})[0] == 422
    assert github.ask(token, "PATCH", f"/pulls/{number}", {"state": "half"})[0] == 422
    _, _, commits = github.ask(token, "GET", f"/pulls/{number}/commits")
    assert commits[-1]["sha"] == head


def test_the_repository_decides_how_to_merge(github: ServedGitHub, token: str) -> None:
    github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature")
    with github.locked_repository as github_repository:
        github_repository.repository.merges = {"merge": False, "delete_branch": True}

    path = f"/pulls/{number}/merge"
    assert github.ask(token, "PUT", path, {"merge_method": "merge"})[0] == 405
    assert github.ask(token, "PUT", path, {"merge_method": "octopus"})[0] == 422
    status, _, answer = github.ask(token, "PUT", path, {"merge_method": "squash", "commit_title": "Mine"})

    assert (status, answer["merged"]) == (200, True)
    assert "feature" not in github.branches()
    with github.locked_repository as github_repository:
        assert github_repository.git.commit(answer["sha"]).message == "Mine"
    _, _, repository = github.ask(token, "GET", "")
    assert (repository["allow_merge_commit"], repository["delete_branch_on_merge"]) == (False, True)
    assert github.ask(token, "PUT", path, {"merge_method": "squash"})[0] == 405


def test_a_draft_is_not_merged(github: ServedGitHub, token: str) -> None:
    github.commit("feature", {"a.tf": "1\n"})
    body = {"title": "A", "head": "acme:feature", "base": "main", "draft": True}
    _, _, created = github.ask(token, "POST", "/pulls", body)

    assert created["draft"] is True
    assert github.ask(token, "PUT", f"/pulls/{created['number']}/merge", {})[0] == 405


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"event": "REQUEST_CHANGES", "body": "No"}, 200),
        ({"event": "REQUEST_CHANGES"}, 422),
        ({"event": "COMMENT", "body": "Hm"}, 200),
        ({"event": "SHRUG"}, 422),
        ({}, 200),
    ],
)
def test_a_review_needs_words_unless_it_approves(
    github: ServedGitHub, body: dict[str, str], status: int
) -> None:
    github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature", author="ada")

    answered_status, _, _ = github.ask(github.token("bert"), "POST", f"/pulls/{number}/reviews", body)

    assert answered_status == status
    assert len(github.pull(number).reviews) == (status == 200)
