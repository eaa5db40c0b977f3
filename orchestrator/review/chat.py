"""Executes `/infra …` commands in pull request comments: checks permission, starts workflows, replies.

It never runs Terraform and holds no cloud account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrator.config.reason import clean_reason
from orchestrator.engine.rollout_requests import (
    NO_REQUESTS,
    RolloutRequests,
    parse_forget_request,
    parse_resume_request,
    parse_superseded_commits,
    split_words,
)
from orchestrator.errors import ForgeError, UsageError
from orchestrator.forge.event import Event
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import WRITERS, PullRequest
from orchestrator.report import escape
from orchestrator.repository.model import Project

MARKER = "<!-- infra:chat -->"
_PLAN_WORKFLOW = "infra-plan.yml"
_APPLY_WORKFLOW = "infra-apply.yml"

_WORD = "/infra"

Verb = Literal["plan", "apply", "resume", "forget", "unlock", "help"]
Reaction = Literal["eyes", "rocket", "confused", "+1", "-1"]

HELP = """\
| command | what it does |
|---|---|
| `/infra plan [STACK]` | plans this pull request again, or one of its stacks |
| `/infra apply ENV` | after the merge: applies what is pending in ENV |
| `/infra apply ENV --skip-checks REASON` | the same, without ENV's checks, once its gate approves that |
| `/infra apply ENV --supersede COMMIT` | the same, over an applied COMMIT that is gone from trunk |
| `/infra resume STACK` | finishes an interrupted apply, once its gate approves that |
| `/infra resume STACK --forget ADDRESS` | the same, and does not take back the object at ADDRESS |
| `/infra forget STACK REASON` | forgets a lost state, and creates everything again, once the gate approves |
| `/infra unlock STACK` | releases the lock that a dead run left on a stack |
| `/infra help` | shows this |

A command stands at the very start of a comment. It takes write permission on this repository."""


@dataclass(frozen=True)
class ChatComment:
    """A comment with a command. `author` and `body` are untrusted."""

    pull_request: int
    comment: int
    author: str
    body: str


@dataclass(frozen=True)
class ChatCommand:
    """A parsed command: a verb, and a stack or an environment, empty if none is named.

    `skip_checks` is the reason for skipping an environment's checks, `requests` are other requests for the
    rollout.
    """

    verb: Verb
    target: str = ""
    skip_checks: str = ""
    requests: RolloutRequests = NO_REQUESTS


@dataclass(frozen=True)
class ChatReply:
    """The reply to a command: a reaction, and the Markdown of the reply comment, empty for none.

    `workflow` and `inputs` are the workflow that was started.
    """

    reaction: Reaction
    text: str = ""
    workflow: str = ""
    inputs: Mapping[str, str] | None = None


class _RejectedCommand(Exception):  # noqa: N818 - a reply, not an error
    """A command that is not executed; the text is Markdown."""

    def __init__(self, text: str, reaction: Reaction = "confused") -> None:
        super().__init__(text)
        self.reply = ChatReply(reaction, text)


def find_chat_comment(event: Event | None) -> ChatComment | None:
    """The comment with a command that a job runs for; None if the event is about another comment.

    A command is in a new comment on a pull request, by a person, whose text begins with `/infra`. Raises
    UsageError for an event that is no comment.
    """
    if event is None or event.kind != "issue_comment":
        raise UsageError(
            "This job does not run for a comment.",
            advice="`infra ci chat` is for workflows with `on: issue_comment`, types: [created].",
        )
    comment = event.comment
    if event.action != "created" or event.pull_request is None or comment is None:
        return None
    if not _is_command(comment.body) or comment.is_bot:
        return None
    return ChatComment(event.pull_request, comment.id, comment.author, comment.body)


def _is_command(body: str) -> bool:
    """Whether a comment begins with `/infra`, with nothing before it."""
    return body.startswith(_WORD) and (len(body) == len(_WORD) or body[len(_WORD)].isspace())


def parse_command(body: str) -> ChatCommand:
    """Parses the command on the first line of a comment. Raises UsageError for an unknown command."""
    _, *words = split_words(body.splitlines()[0])
    match words:
        case [] | ["help"]:
            return ChatCommand("help")
        case ["plan"]:
            return ChatCommand("plan")
        case ["plan", str(target)]:
            return ChatCommand("plan", target)
        case ["apply", str(target)]:
            return ChatCommand("apply", target)
        case ["apply", str(target), "--skip-checks", *rest] if not target.startswith("-"):
            try:
                return ChatCommand("apply", target, clean_reason(" ".join(rest)))
            except ValueError as error:
                raise UsageError("Say why: `/infra apply ENV --skip-checks REASON`.") from error
        case ["apply", _, "--skip-checks", *_]:
            raise UsageError("Say which environment: `/infra apply ENV --skip-checks REASON`.")
        case ["apply", str(target), "--supersede", str(commit)] if not target.startswith("-"):
            return ChatCommand(
                "apply", target, requests=RolloutRequests(over=parse_superseded_commits(commit))
            )
        case ["resume", *rest]:
            resume = parse_resume_request(rest)
            return ChatCommand("resume", resume.stack, requests=RolloutRequests(resume=resume))
        case ["forget", *rest]:
            forget = parse_forget_request(rest)
            return ChatCommand("forget", forget.stack, requests=RolloutRequests(forget=forget))
        case ["unlock", str(target)]:
            return ChatCommand("unlock", target)
        case ["apply"]:
            raise UsageError("Say which environment: `/infra apply ENV`.")
        case ["unlock"]:
            raise UsageError("Say which stack: `/infra unlock STACK`.")
        case _:
            raise UsageError("That is none of my commands.")


def handle_comment(forge: Forge, project: Project, comment: ChatComment) -> ChatReply:
    """Executes the command in a comment if its author may write, and reacts to the comment.

    A reaction or reply that cannot be posted is ignored. Raises ForgeError if the author's permission cannot
    be read, or a workflow cannot be started.
    """
    if forge.permission(comment.author) not in WRITERS:
        return _reply(forge, comment, ChatReply("-1", _refusal(comment)))
    _react(forge, comment, "eyes")
    try:
        reply = _execute(forge, project, comment)
    except _RejectedCommand as rejection:
        reply = rejection.reply
    except ForgeError as error:
        text = f"It could not be done: {escape.text(error.message)}"
        _reply(forge, comment, ChatReply("confused", text))
        raise
    return _reply(forge, comment, reply)


def _refusal(comment: ChatComment) -> str:
    return (
        f"{escape.code(comment.author)} may not tell me to do anything: that takes write permission on this "
        "repository."
    )


def _execute(forge: Forge, project: Project, comment: ChatComment) -> ChatReply:
    try:
        command = parse_command(comment.body)
    except UsageError as error:
        raise _RejectedCommand(f"{error.message}\n\n{HELP}") from error
    if command.verb == "help":
        return ChatReply("+1", HELP)
    trunk = project.trunk_branch
    if command.verb == "unlock":
        inputs = {"environment": _stack(project, command.target), "unlock": command.target}
        return _dispatch(forge, trunk, _APPLY_WORKFLOW, inputs)
    if command.verb in ("resume", "forget"):
        inputs = {
            "environment": _stack(project, command.target),
            **_inputs_of(command.requests, comment.author),
        }
        return _dispatch(forge, trunk, _APPLY_WORKFLOW, inputs)
    pull = forge.pull_request(comment.pull_request)
    if command.verb == "plan":
        inputs = _plan_inputs(forge, project, pull, trunk, command.target)
        # On trunk's ref it would pass for trunk where Google and the forge's caches look at the ref.
        return _dispatch(forge, pull.head_ref, _PLAN_WORKFLOW, inputs)
    inputs = _apply_inputs(project, pull, trunk, command.target)
    inputs |= _inputs_of(command.requests, comment.author)
    if command.skip_checks:
        # The workflow is started by this job's token: whose wish it is would be lost.
        inputs["skip_checks"] = f"{command.skip_checks} (asked for by {comment.author})"
    return _dispatch(forge, trunk, _APPLY_WORKFLOW, inputs)


def _inputs_of(requests: RolloutRequests, author: str) -> dict[str, str]:
    """The requests as workflow inputs. They name the author, whom the job's token would hide."""
    inputs = {"supersede": " ".join(requests.over)}
    if requests.resume:
        inputs["resume"] = str(requests.resume)
    if requests.forget:
        inputs["forget"] = f"{requests.forget} (asked for by {author})"
    return inputs


def _plan_inputs(forge: Forge, project: Project, pull: PullRequest, trunk: str, stack: str) -> dict[str, str]:
    if pull.state != "open":
        raise _RejectedCommand("This pull request is not open: there is nothing to plan.")
    if pull.base_ref != trunk:
        raise _RejectedCommand(
            f"This pull request is to be merged into {escape.code(pull.base_ref)}, not into trunk."
        )
    if pull.head_repository != forge.repository:
        raise _RejectedCommand(
            "This pull request comes from a fork: its code is not planned with this repository's rights."
        )
    # A stack that the pull request adds is not on trunk: the plan job says whether there is one.
    if stack and stack not in project.stacks and not _is_name(project, stack):
        raise _RejectedCommand(
            f"{escape.code(stack)} is no name of a stack. They begin with an environment's: `ENV/NAME`."
        )
    return {"pull_request": str(pull.number), "head": pull.head, "stack": stack}


def _apply_inputs(project: Project, pull: PullRequest, trunk: str, environment: str) -> dict[str, str]:
    if not pull.merged:
        raise _RejectedCommand("This pull request is not merged: apply works on what trunk says.")
    if pull.base_ref != trunk:
        raise _RejectedCommand(
            f"This pull request was merged into {escape.code(pull.base_ref)}, not into trunk."
        )
    known = (*project.environments, *project.environments_without_stacks)
    if environment not in known:
        names = ", ".join(map(escape.code, known))
        raise _RejectedCommand(f"There is no environment {escape.code(environment)}. There are: {names}.")
    return {"environment": environment, "pull_request": str(pull.number)}


def _stack(project: Project, name: str) -> str:
    """The environment of a stack on trunk."""
    stack = project.stacks.get(name)
    if stack is None:
        raise _RejectedCommand(
            f"There is no stack {escape.code(name)} on trunk; `infra list` shows those that there are."
        )
    return stack.environment


def _is_name(project: Project, stack: str) -> bool:
    """Whether a text is a valid stack name in an existing environment."""
    environment, _, rest = stack.partition("/")
    plain = rest.replace("-", "").replace("_", "").replace("/", "").replace(".", "")
    return environment in project.environments and plain.isascii() and plain.isalnum() and ".." not in rest


def _dispatch(forge: Forge, branch: str, workflow: str, inputs: Mapping[str, str]) -> ChatReply:
    filled_inputs = {name: value for name, value in inputs.items() if value}
    forge.dispatch(workflow, branch, filled_inputs)
    return ChatReply("rocket", workflow=workflow, inputs=filled_inputs)


def _reply(forge: Forge, comment: ChatComment, reply: ChatReply) -> ChatReply:
    """Reacts to the comment, and updates the reply comment."""
    _react(forge, comment, reply.reaction)
    if reply.text:
        _publish_reply(forge, comment.pull_request, reply.text)
    return reply


def _react(forge: Forge, comment: ChatComment, reaction: Reaction) -> None:
    try:
        forge.react(comment.comment, reaction)
    except ForgeError:
        # The comment may be deleted by now; what it asked for is done all the same.
        return


def _publish_reply(forge: Forge, pull_request: int, text: str) -> None:
    """Creates or updates the one reply comment, found by its marker among our own comments."""
    body = f"{MARKER}\n{text}\n"
    login = forge.login
    comments = [
        comment
        for comment in forge.comments(pull_request)
        if comment.author == login and comment.body.startswith(MARKER)
    ]
    if not comments:
        forge.create_comment(pull_request, body)
    elif comments[-1].body.strip() != body.strip():
        forge.update_comment(comments[-1].id, body)
