"""`infra sandbox github`: open, review and merge pull requests on the sandbox's GitHub; approve gates."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, with_options
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.sandbox.attach import Info

DIR = click.option("--dir", "directory", metavar="DIR", type=click.Path(file_okay=False), help="The sandbox.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
NUMBER = click.argument("number", metavar="N", type=click.IntRange(1))
AS = click.option("--as", "by", metavar="USER", default="owner", show_default=True, help="The user who acts.")
REVIEWER = click.option(
    "--as", "by", metavar="USER", default="reviewer", show_default=True, help="The user who reviews."
)


@click.group(
    epilog="""\b
Examples:
  infra sandbox github open my-branch              push it there, and open a pull request
  infra sandbox exec --event pull_request:1 -- infra ci plan
  infra sandbox github review 1 --approve
  infra sandbox github merge 1 --method squash
  infra sandbox github url 1                       where to read it, in a browser
"""
)
def github() -> None:
    """Rehearse a pull request on the sandbox's own GitHub.

    Commands that `infra sandbox exec` runs find it by GITHUB_API_URL, GITHUB_REPOSITORY and GITHUB_TOKEN. The
    user `owner` is an administrator there; `reviewer`, and any other user that `--as` names, can write.
    """


@dataclass(frozen=True, kw_only=True)
class SandboxGithubStatusOptions(JsonOptions):
    """The options of `infra sandbox github status`."""

    directory: str | None


@github.command(
    epilog="""\b
Examples:
  infra sandbox github status
  infra sandbox github status --json
"""
)
@DIR
@JSON
@with_options(SandboxGithubStatusOptions)
def status(app: App, options: SandboxGithubStatusOptions) -> int:
    """Show the repositories there, their pull requests, and where to push to."""
    from orchestrator.sandbox import control

    ask_github = control.call_github(_require_sandbox(app, options.directory), "status")
    if options.as_json:
        return app.emit(app.command, github=ask_github)
    app.write(f"GitHub    {ask_github['url']}")
    for name, repository in ask_github["repositories"].items():
        app.write(f"{name}    git push {repository['git']}")
        for pull in repository["pulls"]:
            app.write(f"  #{pull['number']}  {pull['state']:7}{pull['title']}")
    return 0


@dataclass(frozen=True, kw_only=True)
class SandboxGithubOpenOptions(JsonOptions):
    """The options of `infra sandbox github open`."""

    branch: str | None
    title: str
    body: str
    by: str
    directory: str | None


@github.command(
    name="open",
    epilog="""\b
Examples:
  infra sandbox github open                        the branch that you are on
  infra sandbox github open my-branch --title 'More memory'
""",
)
@click.argument("branch", metavar="[BRANCH]", required=False)
@click.option("--title", metavar="TEXT", default="", help="The title (default: that of the last commit).")
@click.option("--body", metavar="TEXT", default="", help="The description.")
@AS
@DIR
@JSON
@with_options(SandboxGithubOpenOptions)
def open_(app: App, options: SandboxGithubOpenOptions) -> int:
    """Push a branch of this project there, and open a pull request from it.

    Pushes trunk first if it is not there yet. If the pull request is already open, adds the new commits.
    Without BRANCH, the one that is checked out.
    """
    from orchestrator.sandbox import control

    info = _require_sandbox(app, options.directory, options.by)
    name, trunk = _push_branch(app, info, options.branch)
    control.call_github(info, "pushed", repository=info.repository, by=options.by)
    ask_github = control.call_github(info, "find", repository=info.repository, branch=name)
    number = ask_github or control.call_github(
        info,
        "open",
        repository=info.repository,
        branch=name,
        by=options.by,
        title=options.title,
        body=options.body,
        base=trunk,
    )
    if not options.as_json:
        folder = control.call_github(info, "repository", name=info.repository)
        app.note("Be where its workflow would be, and do what that does:")
        has_origin = app.project(needs_stacks=False).repository.remote_url() is not None
        refs = fetch_refs(number, trunk, has_origin=has_origin)
        app.note(f"  git fetch {folder} {refs} && git switch --detach FETCH_HEAD")
        app.note(f"  infra sandbox exec --event pull_request:{number} -- infra ci plan")
    return _print_event(
        app, info, number, "has the new commits" if ask_github else "is open", as_json=options.as_json
    )


@dataclass(frozen=True, kw_only=True)
class SandboxGithubMergeOptions(JsonOptions):
    """The options of `infra sandbox github merge`."""

    number: int
    method: str
    by: str
    directory: str | None


@github.command(
    epilog="""\b
Examples:
  infra sandbox github merge 1
  infra sandbox github merge 1 --method rebase --as reviewer
"""
)
@NUMBER
@click.option(
    "--method",
    type=click.Choice(["merge", "squash", "rebase"]),
    default="merge",
    show_default=True,
    help="The merge method.",
)
@AS
@DIR
@JSON
@with_options(SandboxGithubMergeOptions)
def merge(app: App, options: SandboxGithubMergeOptions) -> int:
    """Merge a pull request. Fetch trunk from the sandbox afterwards."""
    from orchestrator.sandbox import control

    info = _require_sandbox(app, options.directory, options.by)
    commit = control.call_github(
        info, "merge", repository=info.repository, number=options.number, by=options.by, method=options.method
    )
    if not options.as_json:
        folder = control.call_github(info, "repository", name=info.repository)
        app.note(f"Trunk is in {folder}: git pull it (`git pull FOLDER BRANCH` where origin is elsewhere).")
    return _print_event(
        app, info, options.number, f"is merged as {commit[:12]}", as_json=options.as_json, commit=commit
    )


@dataclass(frozen=True, kw_only=True)
class SandboxGithubReviewOptions(JsonOptions):
    """The options of `infra sandbox github review`."""

    number: int
    event: str | None
    body: str
    by: str
    directory: str | None


@github.command(
    epilog="""\b
Examples:
  infra sandbox github review 1 --approve
  infra sandbox github review 1 --request-changes --body 'Too large.' --as bert
"""
)
@NUMBER
@click.option("--approve", "event", flag_value="APPROVE", help="Approve it.")
@click.option("--request-changes", "event", flag_value="REQUEST_CHANGES", help="Ask for changes.")
@click.option("--body", metavar="TEXT", default="", help="The text of the review.")
@REVIEWER
@DIR
@JSON
@with_options(SandboxGithubReviewOptions)
def review(app: App, options: SandboxGithubReviewOptions) -> int:
    """Review a pull request. Without --approve or --request-changes, comment on it."""
    from orchestrator.sandbox import control

    info = _require_sandbox(app, options.directory, options.by)
    if options.event != "APPROVE" and not options.body:
        raise UsageError("A review that does not approve needs words.", advice="Add --body TEXT.")
    arguments = {
        "repository": info.repository,
        "number": options.number,
        "by": options.by,
        "body": options.body,
    }
    # GitHub counts in seconds, and a review of the second in which a plan was shown does not approve it.
    time.sleep(1 - time.time() % 1)
    control.call_github(info, "review", event=options.event or "COMMENT", **arguments)
    return _print_event(app, info, options.number, f"is reviewed by {options.by}", as_json=options.as_json)


@dataclass(frozen=True, kw_only=True)
class SandboxGithubGateOptions(JsonOptions):
    """The options of `infra sandbox github gate`."""

    environment: str
    reviewers: tuple[str, ...]
    run: int | None
    by: str
    directory: str | None


@github.command(
    epilog="""\b
Examples:
  infra sandbox github gate prod --reviewer reviewer     let unapproved changes of prod wait for reviewer
  infra sandbox exec --event push -- infra ci compare prod --json      names its run and the ticket
  infra sandbox github gate prod --run 17                reviewer approves the gate of run 17
  infra sandbox exec --event push --run 17 -- infra ci apply prod --gate TICKET
"""
)
@click.argument("environment", metavar="ENV")
@click.option(
    "--reviewer", "reviewers", multiple=True, metavar="USER", help="Set a required reviewer; repeatable."
)
@click.option("--run", type=click.IntRange(1), metavar="N", help="Approve the gate of this run.")
@REVIEWER
@DIR
@JSON
@with_options(SandboxGithubGateOptions)
def gate(app: App, options: SandboxGithubGateOptions) -> int:
    """Set up the gate of an environment (`ENV-approval`), or approve the gate of a run."""
    from orchestrator.review.gate import gate_name
    from orchestrator.sandbox import control

    if bool(options.reviewers) == bool(options.run):
        raise UsageError(
            "A gate is either set up or approved.", advice="Add --reviewer USER, or --run N with --as USER."
        )
    info = _require_sandbox(app, options.directory, options.by)
    name = gate_name(options.environment)
    for login in options.reviewers:
        control.call_github(info, "introduce", repository=info.repository, login=login)
    if options.run:
        arguments = {"run": options.run, "environment": name, "by": options.by}
        control.call_github(info, "gate", repository=info.repository, **arguments)
        words = f"{name} of run {options.run} is approved by {options.by}."
    else:
        reviewers = list(options.reviewers)
        control.call_github(info, "environment", repository=info.repository, name=name, reviewers=reviewers)
        words = f"{name} waits for {' or '.join(reviewers)}."
    if options.as_json:
        return app.emit(app.command, github={"environment": name, "run": options.run})
    app.write(words)
    return 0


@dataclass(frozen=True, kw_only=True)
class SandboxGithubUrlOptions:
    """The options of `infra sandbox github url`."""

    number: int | None
    directory: str | None


@github.command(
    epilog="""\b
Examples:
  infra sandbox github url         the list of pull requests
  infra sandbox github url 1
"""
)
@click.argument("number", metavar="[N]", required=False, type=click.IntRange(1))
@DIR
@with_options(SandboxGithubUrlOptions)
def url(app: App, options: SandboxGithubUrlOptions) -> int:
    """Print the address of a pull request. Without NUMBER, that of their list."""
    app.write(_page(_require_sandbox(app, options.directory), options.number))
    return 0


def _require_sandbox(app: App, directory: str | None, by: str = "") -> Info:
    """The running sandbox, which knows the project's repository, and whoever is going to act there."""
    from orchestrator.cli.support.sandbox_project import prepare_repository, sandbox_folder
    from orchestrator.sandbox import attach, control

    info = prepare_repository(app, attach.require(sandbox_folder(app, directory)))
    if by:
        control.call_github(info, "introduce", repository=info.repository, login=by)
    return info


def fetch_refs(number: int, trunk: str, *, has_origin: bool) -> str:
    """What to fetch to be where a pull request's workflow is; without an origin trunk comes along."""
    merge = f"refs/pull/{number}/merge"
    return merge if has_origin else f"{merge} +refs/heads/{trunk}:refs/remotes/origin/{trunk}"


def _push_branch(app: App, info: Info, branch: str | None) -> tuple[str, str]:
    """Push a branch of the project, and trunk if it is not there; the names of both."""
    from orchestrator.cli.support.sandbox_project import find_trunk
    from orchestrator.repository.git import Repository
    from orchestrator.sandbox import control
    from orchestrator.sandbox.github.push import current_branch, push

    repository = Repository.open(app.cwd)
    name = branch or current_branch(app.cwd, app.environ)
    trunk, revision = find_trunk(app, repository)
    if not name or name == trunk:
        raise UsageError(
            "A pull request comes from a branch of its own.",
            advice=f"Name one: infra sandbox github open BRANCH (not {trunk}).",
        )
    ask_github = control.call_github(info, "branches", repository=info.repository)
    first = {} if trunk in ask_github else {trunk: revision}
    folder = control.call_github(info, "repository", name=info.repository)
    push(repository.root, Path(folder), {**first, name: f"+refs/heads/{name}"}, app.environ)
    return name, trunk


def _page(info: Info, number: int | None) -> str:
    from orchestrator.sandbox import attach

    return f"{attach.url(info.github)}/{info.repository}/" + (f"pull/{number}" if number else "pulls")


def _print_event(app: App, info: Info, number: int, what: str, *, as_json: bool, **more: Any) -> int:
    address = _page(info, number)
    if as_json:
        return app.emit(app.command, github={"number": number, "url": address, **more})
    app.write(f"#{number} {what}: {address}")
    return 0
