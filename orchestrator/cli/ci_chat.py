"""`infra ci chat`."""

from __future__ import annotations

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options

EPILOG = """\b
Examples:
  infra ci chat            in a job that runs on: issue_comment, types: [created]
  infra ci chat --json     what was requested, and what was started

\b
In a comment on a pull request, at its very start:
  /infra plan [STACK]      plan the pull request again
  /infra apply ENV         after the merge: apply what is pending in ENV
  /infra apply ENV --skip-checks REASON     the same, without ENV's checks, once its gate approves that
  /infra apply ENV --supersede COMMIT       the same, over an applied COMMIT that trunk does not have
  /infra resume STACK [--forget ADDRESS]    finish an interrupted apply, once its gate approves that
  /infra forget STACK REASON                give up a state that is gone, and create everything again
  /infra unlock STACK      release the lock of a run that died
  /infra help              the list of commands
"""


@click.command(epilog=EPILOG)
@json_option
@with_options(JsonOptions)
def command(app: App, options: JsonOptions) -> int:
    """Run a command from a comment on a pull request, for people with write permission.

    Reads the comment from the job's event, starts the matching workflow, and reacts to the comment. Exits
    with 0 also if the command is refused, and with 1 if GitHub cannot be reached.
    """
    from orchestrator.forge.factory import open_forge, read_event
    from orchestrator.review.chat import find_chat_comment, handle_comment

    comment = find_chat_comment(read_event(app.environ))
    if comment is None:
        app.note("The comment holds no command.")
        return app.emit("ci chat", request=None) if options.as_json else 0
    with open_forge(app.environ) as forge:
        done = handle_comment(forge, app.project(), comment)
    started = {"workflow": done.workflow, "inputs": dict(done.inputs or {})} if done.workflow else None
    if options.as_json:
        request = {"pull_request": comment.pull_request, "comment": comment.comment, "author": comment.author}
        return app.emit("ci chat", request=request, reaction=done.reaction, answer=done.text, started=started)
    app.write(f"Started {done.workflow}." if started else f"Answered with {done.reaction}.")
    return 0
