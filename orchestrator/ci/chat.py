"""`/infra …` in a comment on a pull request: who may, what it means, and which workflow it starts.

It starts workflows and answers; it never runs Terraform, and holds no cloud account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrator.ci.event import event_of, payload_of
from orchestrator.ci.requests import (
    NO_REQUESTS,
    RolloutRequests,
    forget_request,
    over_request,
    resume_request,
    words_of,
)
from orchestrator.config.reason import reason
from orchestrator.errors import HostError, UsageError
from orchestrator.hosts.model import WRITERS, PullRequest
from orchestrator.hosts.port import Host
from orchestrator.jsontext import mapping
from orchestrator.project.model import Project
from orchestrator.report import escape
from orchestrator.review.pending import trunk_branch

MARKER = "<!-- infra:chat -->"
PLAN_WORKFLOW = "infra-plan.yml"
APPLY_WORKFLOW = "infra-apply.yml"

WORD = "/infra"

Verb = Literal["plan", "apply", "resume", "forget", "unlock", "help"]
Reaction = Literal["eyes", "rocket", "confused", "+1", "-1"]

HELP = """\
| command | what it does |
|---|---|
| `/infra plan [STACK]` | plans this pull request again, or one of its stacks |
| `/infra apply ENV` | after the merge: catches up with what ENV is owed |
| `/infra apply ENV --skip-checks REASON` | the same, without ENV's checks, once its gate approves that |
| `/infra apply ENV --supersede COMMIT` | the same, over an applied COMMIT that is gone from trunk |
| `/infra resume STACK` | finishes an interrupted apply, once its gate approves that |
| `/infra resume STACK --forget ADDRESS` | the same, and does not take back the object at ADDRESS |
| `/infra forget STACK REASON` | gives up a state that is gone, and creates all anew, once the gate approves |
| `/infra unlock STACK` | releases the lock that a dead run left on a stack |
| `/infra help` | shows this |

A command stands at the very start of a comment. It takes write permission on this repository."""


@dataclass(frozen=True)
class Asked:
    """A comment that asks for something. `author` and `body` are as hostile as any comment."""

    pull_request: int
    comment: int
    author: str
    body: str


@dataclass(frozen=True)
class Command:
    """What a comment says: a verb, and a stack or an environment, empty when none was named.

    `skip_checks` is the reason for which an environment shall pass without its checks, `requests` are what
    else the rollout shall do.
    """

    verb: Verb
    target: str = ""
    skip_checks: str = ""
    requests: RolloutRequests = NO_REQUESTS


@dataclass(frozen=True)
class Answer:
    """What came of it: the last reaction, the words for the comment (Markdown, empty for none).

    `workflow` and `inputs` are what was started.
    """

    reaction: Reaction
    text: str = ""
    workflow: str = ""
    inputs: Mapping[str, str] | None = None


class _No(Exception):  # noqa: N818 - an answer, not an error
    """A command that is not carried out; the text is Markdown."""

    def __init__(self, text: str, reaction: Reaction = "confused") -> None:
        super().__init__(text)
        self.answer = Answer(reaction, text)


def asked_of(environ: Mapping[str, str]) -> Asked | None:
    """The comment that a job was started for; None when it is nothing to us.

    Only a new comment on a pull request whose text begins with `/infra` is something to us. Raises UsageError
    outside of such a job.
    """
    event = event_of(environ)
    if event is None or event.kind != "issue_comment":
        raise UsageError(
            "This is no job for a comment.",
            advice="`infra ci chat` is for workflows with `on: issue_comment`, types: [created].",
        )
    if event.action != "created" or event.pull_request is None:
        return None
    comment = mapping(payload_of(environ).get("comment"))
    body, user, id_ = str(comment.get("body") or ""), mapping(comment.get("user")), comment.get("id")
    if not _is_ours(body) or user.get("type") == "Bot" or not isinstance(id_, int):
        return None
    return Asked(event.pull_request, id_, str(user.get("login") or ""), body)


def _is_ours(body: str) -> bool:
    """Whether a comment begins with our word, and with nothing before it."""
    return body.startswith(WORD) and (len(body) == len(WORD) or body[len(WORD)].isspace())


def command_of(body: str) -> Command:
    """The command on the first line of a comment; raises UsageError for what is none."""
    _, *words = words_of(body.splitlines()[0])
    match words:
        case [] | ["help"]:
            return Command("help")
        case ["plan"]:
            return Command("plan")
        case ["plan", str(target)]:
            return Command("plan", target)
        case ["apply", str(target)]:
            return Command("apply", target)
        case ["apply", str(target), "--skip-checks", *rest] if not target.startswith("-"):
            try:
                return Command("apply", target, reason(" ".join(rest)))
            except ValueError as error:
                raise UsageError("Say why: `/infra apply ENV --skip-checks REASON`.") from error
        case ["apply", _, "--skip-checks", *_]:
            raise UsageError("Say which environment: `/infra apply ENV --skip-checks REASON`.")
        case ["apply", str(target), "--supersede", str(commit)] if not target.startswith("-"):
            return Command("apply", target, requests=RolloutRequests(over=over_request(commit)))
        case ["resume", *rest]:
            resume = resume_request(rest)
            return Command("resume", resume.stack, requests=RolloutRequests(resume=resume))
        case ["forget", *rest]:
            forget = forget_request(rest)
            return Command("forget", forget.stack, requests=RolloutRequests(forget=forget))
        case ["unlock", str(target)]:
            return Command("unlock", target)
        case ["apply"]:
            raise UsageError("Say which environment: `/infra apply ENV`.")
        case ["unlock"]:
            raise UsageError("Say which stack: `/infra unlock STACK`.")
        case _:
            raise UsageError("That is none of my commands.")


def answer(host: Host, project: Project, asked: Asked) -> Answer:
    """Do what a comment asks for, if its author may, and react to it.

    A reaction or an answer that cannot be posted stops nothing. Raises HostError when the author's permission
    cannot be told, or when a workflow could not be started.
    """
    if host.permission(asked.author) not in WRITERS:
        return _told(host, asked, Answer("-1", _refusal(asked)))
    _react(host, asked, "eyes")
    try:
        done = _carried_out(host, project, asked)
    except _No as no:
        done = no.answer
    except HostError as error:
        text = f"It could not be done: {escape.text(error.message)}"
        _told(host, asked, Answer("confused", text))
        raise
    return _told(host, asked, done)


def _refusal(asked: Asked) -> str:
    return (
        f"{escape.code(asked.author)} may not tell me to do anything: that takes write permission on this "
        "repository."
    )


def _carried_out(host: Host, project: Project, asked: Asked) -> Answer:
    try:
        command = command_of(asked.body)
    except UsageError as error:
        raise _No(f"{error.message}\n\n{HELP}") from error
    if command.verb == "help":
        return Answer("+1", HELP)
    trunk = trunk_branch(project)
    if command.verb == "unlock":
        inputs = {"environment": _stack(project, command.target), "unlock": command.target}
        return _started(host, trunk, APPLY_WORKFLOW, inputs)
    if command.verb in ("resume", "forget"):
        inputs = {
            "environment": _stack(project, command.target),
            **_inputs_of(command.requests, asked.author),
        }
        return _started(host, trunk, APPLY_WORKFLOW, inputs)
    pull = host.pull_request(asked.pull_request)
    if command.verb == "plan":
        inputs = _plan_inputs(host, project, pull, trunk, command.target)
        # On trunk's ref it would pass for trunk where Google and GitHub's caches look at the ref.
        return _started(host, pull.head_ref, PLAN_WORKFLOW, inputs)
    inputs = _apply_inputs(project, pull, trunk, command.target)
    inputs |= _inputs_of(command.requests, asked.author)
    if command.skip_checks:
        # The workflow is started by this job's token: whose wish it is would be lost.
        inputs["skip_checks"] = f"{command.skip_checks} (asked for by {asked.author})"
    return _started(host, trunk, APPLY_WORKFLOW, inputs)


def _inputs_of(requests: RolloutRequests, author: str) -> dict[str, str]:
    """The requests as inputs of the workflow; whose wish a reason is would be lost with the job's token."""
    inputs = {"supersede": " ".join(requests.over)}
    if requests.resume:
        inputs["resume"] = str(requests.resume)
    if requests.forget:
        inputs["forget"] = f"{requests.forget} (asked for by {author})"
    return inputs


def _plan_inputs(host: Host, project: Project, pull: PullRequest, trunk: str, stack: str) -> dict[str, str]:
    if pull.state != "open":
        raise _No("This pull request is not open: there is nothing to plan.")
    if pull.base_ref != trunk:
        raise _No(f"This pull request is to be merged into {escape.code(pull.base_ref)}, not into trunk.")
    if pull.head_repository != host.repository:
        raise _No(
            "This pull request comes from a fork: its code is not planned with this repository's rights."
        )
    # A stack that the pull request adds is not on trunk: the plan job says whether there is one.
    if stack and stack not in project.stacks and not _is_name(project, stack):
        raise _No(
            f"{escape.code(stack)} is no name of a stack. They begin with an environment's: `ENV/NAME`."
        )
    return {"pull_request": str(pull.number), "head": pull.head, "stack": stack}


def _apply_inputs(project: Project, pull: PullRequest, trunk: str, environment: str) -> dict[str, str]:
    if not pull.merged:
        raise _No("This pull request is not merged: apply works on what trunk says.")
    if pull.base_ref != trunk:
        raise _No(f"This pull request was merged into {escape.code(pull.base_ref)}, not into trunk.")
    if environment not in project.environments:
        known = ", ".join(escape.code(one) for one in project.environments)
        raise _No(f"There is no environment {escape.code(environment)}. There are: {known}.")
    return {"environment": environment, "pull_request": str(pull.number)}


def _stack(project: Project, name: str) -> str:
    """The environment of a stack that trunk has."""
    found = project.stacks.get(name)
    if found is None:
        raise _No(f"There is no stack {escape.code(name)} on trunk; `infra list` shows those that there are.")
    return found.environment


def _is_name(project: Project, stack: str) -> bool:
    """Whether a stack of this name could be: an environment that there is, and plain letters."""
    environment, _, rest = stack.partition("/")
    plain = rest.replace("-", "").replace("_", "").replace("/", "").replace(".", "")
    return environment in project.environments and plain.isascii() and plain.isalnum() and ".." not in rest


def _started(host: Host, branch: str, workflow: str, inputs: Mapping[str, str]) -> Answer:
    given = {name: value for name, value in inputs.items() if value}
    host.dispatch(workflow, branch, given)
    return Answer("rocket", workflow=workflow, inputs=given)


def _told(host: Host, asked: Asked, done: Answer) -> Answer:
    """React, and say what is to be said in the one comment that is ours."""
    _react(host, asked, done.reaction)
    if done.text:
        _say(host, asked.pull_request, done.text)
    return done


def _react(host: Host, asked: Asked, reaction: Reaction) -> None:
    try:
        host.react(asked.comment, reaction)
    except HostError:
        # The comment may be deleted by now; what it asked for is done all the same.
        return


def _say(host: Host, pull_request: int, text: str) -> None:
    """One comment for all answers, found by its marker among our own and updated in place."""
    body = f"{MARKER}\n{text}\n"
    login = host.login
    ours = [one for one in host.comments(pull_request) if one.author == login and one.body.startswith(MARKER)]
    if not ours:
        host.create_comment(pull_request, body)
    elif ours[-1].body.strip() != body.strip():
        host.update_comment(ours[-1].id, body)
