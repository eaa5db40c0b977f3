"""Commands in comments: what counts as one, who may, what is started, and what is answered."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.engine.rollout_options import ResumeChoices
from orchestrator.engine.rollout_requests import ForgetRequest, ResumeRequest, RolloutRequests
from orchestrator.errors import ForgeError, UsageError
from orchestrator.forge.github import open_github
from orchestrator.forge.github.client import GitHub as Client
from orchestrator.forge.github.event import read_event
from orchestrator.forge.retry_policy import RetryPolicy
from orchestrator.repository.loading import load
from orchestrator.repository.model import Project
from orchestrator.review.chat import (
    HELP,
    MARKER,
    ChatCommand,
    ChatComment,
    ChatReply,
    find_chat_comment,
    handle_comment,
    parse_command,
)
from orchestrator.sandbox.github import control
from tests.support.cli import Infra
from tests.support.github import BOT, ServedGitHub

EMPTY = 'output "x" {\n  value = 1\n}\n'
FILES = {
    "infra.yaml": "version: 1\ntrunk: main\n",
    "infra/envs/dev/net/main.tf": EMPTY,
    "infra/envs/prod/net/main.tf": EMPTY,
    ".github/workflows/infra-plan.yml": "on: workflow_dispatch\n",
    ".github/workflows/infra-apply.yml": "on: workflow_dispatch\n",
}
RIGHTS = {"contents": "read", "pull_requests": "write", "issues": "write", "actions": "write"}


# What is a command


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("/infra", ChatCommand("help")),
        ("/infra help", ChatCommand("help")),
        ("/infra plan", ChatCommand("plan")),
        ("/infra plan\nplease, before lunch", ChatCommand("plan")),
        ("/infra plan\r\n> quoted", ChatCommand("plan")),
        ("/infra   plan \t dev/net ", ChatCommand("plan", "dev/net")),
        ("/infra plan 'dev/net'", ChatCommand("plan", "dev/net")),
        ("/infra apply prod", ChatCommand("apply", "prod")),
        (
            "/infra apply dev --skip-checks the probe is down",
            ChatCommand("apply", "dev", "the probe is down"),
        ),
        ('/infra apply dev --skip-checks "it is down"', ChatCommand("apply", "dev", "it is down")),
        ("/infra unlock dev/net", ChatCommand("unlock", "dev/net")),
        (
            "/infra apply dev --supersede 0123456789",
            ChatCommand("apply", "dev", requests=RolloutRequests(over=("0123456789",))),
        ),
        (
            "/infra resume dev/net --forget 'a.b[\"c\"]'",
            ChatCommand(
                "resume",
                "dev/net",
                requests=RolloutRequests(resume=ResumeRequest("dev/net", ResumeChoices(('a.b["c"]',)))),
            ),
        ),
        (
            "/infra forget dev/net it is gone",
            ChatCommand(
                "forget",
                "dev/net",
                requests=RolloutRequests(forget=ForgetRequest("dev/net", "it is gone")),
            ),
        ),
        ("/infra apply '$(id)'", ChatCommand("apply", "$(id)")),
    ],
)
def test_commands(body: str, command: ChatCommand) -> None:
    assert parse_command(body) == command


@pytest.mark.parametrize(
    "body",
    [
        "/infra destroy",
        "/infra plan a b",
        "/infra plan; rm -rf /",
        "/infra plan && curl evil",
        "/infra apply",
        "/infra apply prod --allow-destroy",
        "/infra unlock",
        "/infra resume",
        "/infra resume dev/net --force",
        "/infra forget dev/net",
        "/infra apply dev --supersede HEAD",
        "/infra apply --supersede 0123456789",
        "/infra 'plan",
        "/infra help me",
        "/infra apply dev --skip-checks",
        "/infra apply dev --skip-checks ''",
        "/infra apply dev --skip-checks ' ' \t ''",
        "/infra plan " + "a" * 300,
        "/infra Plan",
    ],
)
def test_what_is_none(body: str) -> None:
    with pytest.raises(UsageError):
        parse_command(body)


def event(tmp_path: Path, body: str, **changed: object) -> dict[str, str]:
    """The environment of a job that a comment started."""
    comment = {"id": 7, "body": body, "user": {"login": "ada", "type": "User"}}
    payload = {
        "action": "created",
        "issue": {"number": 12, "pull_request": {}},
        "comment": comment,
        **changed,
    }
    path = tmp_path / "event.json"
    path.write_text(json.dumps(payload))
    return {"GITHUB_EVENT_NAME": "issue_comment", "GITHUB_EVENT_PATH": str(path)}


def test_a_comment_that_asks(tmp_path: Path) -> None:
    assert find_chat_comment(read_event(event(tmp_path, "/infra plan"))) == ChatComment(
        12, 7, "ada", "/infra plan"
    )


@pytest.mark.parametrize(
    "body",
    [
        "Hello",
        " /infra plan",
        "> /infra plan",
        "Please:\n/infra plan",
        "`/infra plan`",
        "/infrared",
        "/INFRA plan",
        "",
    ],
)
def test_a_comment_that_does_not_begin_with_our_word(tmp_path: Path, body: str) -> None:
    assert find_chat_comment(read_event(event(tmp_path, body))) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"action": "edited"},
        {"action": "deleted"},
        {"issue": {"number": 12}},
        {"comment": {"id": 7, "body": "/infra plan", "user": {"login": "x[bot]", "type": "Bot"}}},
    ],
)
def test_an_event_that_is_nothing_to_us(tmp_path: Path, changed: dict[str, object]) -> None:
    assert find_chat_comment(read_event(event(tmp_path, "/infra plan", **changed))) is None


def test_other_jobs_have_no_chat(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not run for a comment"):
        find_chat_comment(read_event({}))


# Carrying it out, against a GitHub


@pytest.fixture
def github(tmp_path: Path) -> Iterator[ServedGitHub]:
    with ServedGitHub(tmp_path, files=FILES) as server:
        yield server


@pytest.fixture
def project(github: ServedGitHub) -> Project:
    """Trunk, as the workflow checks it out."""
    return load(github.work.root)


@pytest.fixture
def host(github: ServedGitHub) -> Iterator[Client]:
    environ = {
        "GITHUB_API_URL": github.api_url,
        "GITHUB_REPOSITORY": github.repository,
        "GITHUB_TOKEN": github.token(**RIGHTS),
    }
    with open_github(environ, RetryPolicy(total=0)) as client:
        yield client


SendComment = Callable[..., ChatReply]


@pytest.fixture
def send_comment(github: ServedGitHub, host: Client, project: Project) -> SendComment:
    """`say(number, body, author)` comments and lets it be answered."""

    def comment(number: int, body: str, author: str = "ada") -> ChatReply:
        id_ = github.comment(number, author, body)
        return handle_comment(host, project, ChatComment(number, id_, author, body))

    return comment


@pytest.fixture
def pull(github: ServedGitHub) -> int:
    """An open pull request."""
    github.commit("feature", {"infra/envs/dev/net/main.tf": EMPTY.replace("1", "2")})
    return github.open("feature")


def reactions(github: ServedGitHub, number: int) -> list[str]:
    """The reactions to the first comment that has any."""
    return next(
        [reaction.content for reaction in each.reactions]
        for each in github.comments(number)
        if each.reactions
    )


def ours(github: ServedGitHub, number: int) -> list[str]:
    """What we said."""
    return [comment.body for comment in github.comments(number) if comment.author == BOT]


@pytest.mark.parametrize(("body", "stack"), [("/infra plan", ""), ("/infra plan dev/net", "dev/net")])
def test_plan_starts_the_plan_workflow_for_the_head_that_was_read(
    github: ServedGitHub, send_comment: SendComment, pull: int, body: str, stack: str
) -> None:
    head = github.head(pull)
    done = send_comment(pull, body)
    (started,) = github.dispatches
    inputs = {"pull_request": str(pull), "head": head, **({"stack": stack} if stack else {})}
    assert (started.workflow, started.ref, started.inputs) == ("infra-plan.yml", "feature", inputs)
    assert done.inputs == inputs
    assert reactions(github, pull) == ["eyes", "rocket"]
    assert ours(github, pull) == []


def test_a_stack_that_the_pull_request_adds_can_be_planned(
    github: ServedGitHub, send_comment: SendComment, pull: int
) -> None:
    send_comment(pull, "/infra plan dev/brand-new")
    assert github.dispatches[0].inputs["stack"] == "dev/brand-new"


def test_apply_catches_up_after_the_merge(github: ServedGitHub, send_comment: SendComment, pull: int) -> None:
    github.merge(pull)
    send_comment(pull, "/infra apply prod")
    (started,) = github.dispatches
    assert (started.workflow, started.ref) == ("infra-apply.yml", "main")
    assert started.inputs == {"environment": "prod", "pull_request": str(pull)}


def test_unlock_names_the_stack_and_its_environment(
    github: ServedGitHub, send_comment: SendComment, pull: int
) -> None:
    send_comment(pull, "/infra unlock dev/net")
    (started,) = github.dispatches
    assert (started.workflow, started.inputs) == (
        "infra-apply.yml",
        {"environment": "dev", "unlock": "dev/net"},
    )


@pytest.mark.parametrize(
    ("body", "inputs"),
    [
        ("/infra resume dev/net", {"environment": "dev", "resume": "dev/net"}),
        (
            "/infra resume dev/net --forget 'a.b[\"c d\"]'",
            {"environment": "dev", "resume": "dev/net --forget 'a.b[\"c d\"]'"},
        ),
        (
            "/infra forget prod/net 'the project is gone'",
            {"environment": "prod", "forget": "prod/net 'the project is gone' (asked for by ada)"},
        ),
    ],
)
def test_repairs_name_the_stack_and_its_environment(
    github: ServedGitHub, send_comment: SendComment, pull: int, body: str, inputs: dict[str, str]
) -> None:
    send_comment(pull, body)
    (started,) = github.dispatches
    assert (started.workflow, started.ref, started.inputs) == ("infra-apply.yml", "main", inputs)


@pytest.mark.parametrize("author", ["rita", "stranger"])
def test_who_may_not_write_gets_nothing(
    github: ServedGitHub, send_comment: SendComment, pull: int, author: str
) -> None:
    github.user("stranger", "none")
    bodies = ("/infra plan", "/infra apply prod", "/infra resume dev/net", "/infra help", "/infra nonsense")
    for body in bodies:
        assert send_comment(pull, body, author).reaction == "-1"
    assert github.dispatches == []
    assert reactions(github, pull) == ["-1"]
    (reply,) = ours(github, pull)
    assert "write permission" in reply


def test_the_permission_in_the_repository_counts(
    github: ServedGitHub, send_comment: SendComment, pull: int
) -> None:
    roles = ("admin", "maintain", "write", "triage", "read", "none")
    for role in roles:
        github.user(f"mx-{role}", role)
    reactions = [send_comment(pull, "/infra plan", f"mx-{role}").reaction for role in roles]
    assert reactions == ["rocket"] * 3 + ["-1"] * 3
    assert len(github.dispatches) == 3


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("/infra apply prod", "not merged"),
        ("/infra plan nowhere/net", "no name of a stack"),
        ("/infra plan dev/../../x", "no name of a stack"),
        ("/infra plan 'dev/a b'", "no name of a stack"),
        ("/infra unlock dev/other", "no stack"),
        ("/infra resume 'dev/net [x](http://evil)'", "no stack"),
        ("/infra resume '$(id)'", "no stack"),
        ("/infra forget dev/other it is gone", "no stack"),
        ("/infra dance", "none of my commands"),
        ("/infra apply", "which environment"),
    ],
)
def test_what_cannot_be_done_is_reported_in_one_comment(
    github: ServedGitHub, send_comment: SendComment, pull: int, body: str, words: str
) -> None:
    assert send_comment(pull, body).reaction == "confused"
    assert github.dispatches == []
    (reply,) = ours(github, pull)
    assert reply.startswith(MARKER)
    assert words in reply


def test_a_merged_pull_request_is_not_planned_and_an_unknown_environment_not_applied(
    github: ServedGitHub, send_comment: SendComment, pull: int
) -> None:
    github.merge(pull)
    assert "not open" in send_comment(pull, "/infra plan").text
    text = send_comment(pull, "/infra apply qa").text
    assert "no environment" in text
    assert "dev" in text
    assert github.dispatches == []


@pytest.mark.parametrize("head", ["mallory/infra", ""])
def test_a_forks_code_is_not_planned(
    github: ServedGitHub,
    host: Client,
    send_comment: SendComment,
    pull: int,
    head: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The server knows no forks, so one value of its answer is made one's.
    pull_request = replace(host.pull_request(pull), head_repository=head)
    monkeypatch.setattr(host, "pull_request", lambda number: pull_request)
    assert "fork" in send_comment(pull, "/infra plan").text
    assert github.dispatches == []


def test_what_goes_elsewhere_is_neither_planned_nor_applied(
    github: ServedGitHub, send_comment: SendComment
) -> None:
    github.commit("release", {"README.md": "x\n"})
    github.commit("feature", {"a.tf": "# a\n"})
    number = control.open_pull(
        github.server, github.repository, branch="feature", by="ada", title="A", base="release"
    )
    assert "not into trunk" in send_comment(number, "/infra plan").text
    github.merge(number)
    assert "not into trunk" in send_comment(number, "/infra apply prod").text
    assert github.dispatches == []


def test_answers_are_one_comment_that_changes(
    github: ServedGitHub, send_comment: SendComment, pull: int
) -> None:
    send_comment(pull, "/infra help")
    send_comment(pull, "/infra help")
    (reply,) = ours(github, pull)
    assert HELP in reply
    writes = len(github.writes())
    send_comment(pull, "/infra apply prod")
    (reply,) = ours(github, pull)
    assert "not merged" in reply
    # Two reactions and one update; nothing is written again.
    assert len(github.writes()) == writes + 3


def test_a_comment_with_our_marker_by_somebody_else_is_not_ours(
    github: ServedGitHub, send_comment: SendComment, pull: int
) -> None:
    github.comment(pull, "rita", f"{MARKER}\nfake")
    send_comment(pull, "/infra help")
    assert [comment.body for comment in github.comments(pull) if comment.author == "rita"] == [
        f"{MARKER}\nfake"
    ]
    assert len(ours(github, pull)) == 1


HOSTILE = (
    "dev/<img src=x>",
    "dev/@everyone",
    "dev/<!-- infra:plan -->",
    "dev/`x`",
    "dev/[a](https://evil.example)",
    "dev/</details>",
    "dev/#1",
)


def test_hostile_words_come_back_as_code(github: ServedGitHub, send_comment: SendComment, pull: int) -> None:
    for hostile in HOSTILE:
        send_comment(pull, f"/infra plan '{hostile}'")
        (reply,) = ours(github, pull)
        # Outside of code nothing of it is left, and our marker stands once, at the top.
        outside = "".join(reply.replace("``", "`").split("`")[::2])
        assert hostile not in outside
        assert reply.count("<!-- infra") == 1
    assert github.dispatches == []


def test_what_cannot_be_started_is_reported_as_an_error(
    github: ServedGitHub, send_comment: SendComment, pull: int
) -> None:
    github.fault("*/dispatches", method="POST", status=403)
    with pytest.raises(ForgeError, match="Cannot start infra-plan"):
        send_comment(pull, "/infra plan")
    assert reactions(github, pull) == ["eyes", "confused"]
    (reply,) = ours(github, pull)
    assert "could not be done" in reply


def test_a_reaction_that_fails_stops_nothing(
    github: ServedGitHub, send_comment: SendComment, pull: int
) -> None:
    github.fault("*/reactions", method="POST", status=404, times=0)
    assert send_comment(pull, "/infra plan").reaction == "rocket"
    assert len(github.dispatches) == 1


def test_an_unknown_permission_is_no_permission(
    github: ServedGitHub, send_comment: SendComment, pull: int
) -> None:
    github.fault("*/permission", status=503, times=0)
    with pytest.raises(ForgeError):
        send_comment(pull, "/infra plan")
    assert github.dispatches == []


# The command


def test_the_command_answers_the_event(github: ServedGitHub, pull: int) -> None:
    id_ = github.comment(pull, "ada", "/infra plan dev/net")
    environ = github.environ(github.token(**RIGHTS), "issue_comment", pull)
    document = Infra(github.work.root, environ)("ci", "chat", "--json", code=0).document
    assert document["reaction"] == "rocket"
    assert document["started"]["workflow"] == "infra-plan.yml"
    assert document["request"] == {"pull_request": pull, "comment": id_, "author": "ada"}
    assert github.dispatches[0].inputs["stack"] == "dev/net"


def test_the_command_leaves_other_comments_alone(github: ServedGitHub, pull: int) -> None:
    github.comment(pull, "ada", "Looks good")
    environ = github.environ(github.token(), "issue_comment", pull)
    ran = Infra(github.work.root, environ)("ci", "chat", code=0)
    assert ran.out == ""
    assert "holds no command" in ran.err
    assert github.requests == []


def test_no_comment_is_a_defect() -> None:
    """Whatever stands behind our word is a command or a mistake; the same text gives the same answer."""
    words = [
        *(
            "plan",
            "apply",
            "resume",
            "forget",
            "unlock",
            "help",
            "prod",
            "dev/net",
            "--skip-checks",
            "--forget",
        ),
        *(
            "--supersede",
            "--",
            "-x",
            '"',
            "'",
            "\\",
            "`",
            "$(id)",
            "\u2028",
            "\x00",
            "\ud800",
            "\u202e",
            "\r",
        ),
        *(
            "\x1b[31m",
            "<!-- infra:chat -->",
            "@all",
            "a" * 3000,
            "0" * 40,
            "\n/infra apply prod",
            'x.y["a b"]',
        ),
    ]
    draw = random.Random(7)
    counter: Counter[str] = Counter()
    for _ in range(2000):
        body = "/infra " + draw.choice([" ", ""]).join(draw.choices(words, k=draw.randint(0, 8)))
        try:
            command = parse_command(body)
        except UsageError:
            counter["mistake"] += 1
            continue
        assert parse_command(body.splitlines()[0] + "\n/infra apply prod") == command, (
            "the first line alone counts"
        )
        counter[command.verb] += 1
    assert counter.keys() >= {"mistake", "plan", "apply", "unlock", "help", "forget"}
