"""`infra ci chat`."""

from __future__ import annotations

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, json_option, with_options

EPILOG = """\b
Examples:
  infra ci chat            in a job that runs on: issue_comment, types: [created]
  infra ci chat --json     what was asked for, and what was started

\b
In a comment on a pull request, at its very start:
  /infra plan [STACK]      plan the pull request again
  /infra apply ENV         after the merge: catch up with what ENV is owed
  /infra apply ENV --skip-checks REASON     the same, without ENV's checks, once its gate approves that
  /infra apply ENV --supersede COMMIT       the same, over an applied COMMIT that trunk does not have
  /infra resume STACK [--forget ADDRESS]    finish an interrupted apply, once its gate approves that
  /infra forget STACK REASON                give up a state that is gone, and create everything anew
  /infra unlock STACK      release the lock that a dead run left
  /infra help              the list of commands
"""


@click.command(epilog=EPILOG)
@json_option
@with_options(JsonOptions)
def command(app: App, options: JsonOptions) -> int:
    """Answer a command in a pull request's comment, from people with write permission.

    Reads the comment from the job's event, starts the workflow that does it, and reacts to the comment.
    Exit 0 too when the answer is no; 1 when GitHub could not be asked.
    """
    from orchestrator.ci.chat import answer, asked_of
    from orchestrator.hosts.github import open_host

    asked = asked_of(app.environ)
    if asked is None:
        app.note("The comment does not ask for anything.")
        return app.emit("ci chat", asked=None) if options.as_json else 0
    with open_host(app.environ) as host:
        done = answer(host, app.project(), asked)
    started = {"workflow": done.workflow, "inputs": dict(done.inputs or {})} if done.workflow else None
    if options.as_json:
        told = {"pull_request": asked.pull_request, "comment": asked.comment, "author": asked.author}
        return app.emit("ci chat", asked=told, reaction=done.reaction, answer=done.text, started=started)
    app.write(f"Started {done.workflow}." if started else f"Answered with {done.reaction}.")
    return 0
