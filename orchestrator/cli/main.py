"""The entry point: which commands there are, and the one boundary where errors become text and exit codes.

Only click is imported here; a command's module is imported when that command runs, so `infra --help` stays
quick. The one-line helps live in `COMMANDS` for the same reason.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping, Sequence
from typing import NoReturn, cast

import click

from orchestrator import __version__
from orchestrator.cli.context import App
from orchestrator.cli.lazy import LazyGroup
from orchestrator.cli.standard_streams import lost_output, open_stream, standard_stream
from orchestrator.errors import Exit, InfraError, UsageError, exit_code_of, known_error
from orchestrator.job_tokens import forget_token_requests
from orchestrator.state.waiting import tell_to

# name → (module:attribute, one line for --help); the order is the order in which people meet them.
COMMANDS: dict[str, tuple[str, str]] = {
    "list": ("orchestrator.cli.list:command", "Show environments, stacks, modules and what reads what."),
    "graph": ("orchestrator.cli.graph:command", "Draw the order in which stacks depend on each other."),
    "validate": ("orchestrator.cli.validate:command", "Check the layout, backends, cycles and lock files."),
    "affected": ("orchestrator.cli.affected:command", "Show which stacks a change touches, and why."),
    "guard": ("orchestrator.cli.guard:command", "Check code for what is not allowed, before Terraform runs."),
    "plan": ("orchestrator.cli.plan:command", "Show what Terraform would change."),
    "apply": ("orchestrator.cli.apply:command", "Plan, ask, and apply exactly what was shown."),
    "destroy": ("orchestrator.cli.destroy:command", "Destroy stacks, in reverse order."),
    "ci": ("orchestrator.cli.ci:command", "From pull request to production, in jobs of GitHub Actions."),
    "status": ("orchestrator.cli.status:command", "Show what is applied where, pending, or interrupted."),
    "history": ("orchestrator.cli.history:command", "Show which runs changed what."),
    "drift": ("orchestrator.cli.drift:command", "Show what was changed outside Terraform."),
    "unlock": ("orchestrator.cli.unlock:command", "Release the lock that a dead run left."),
    "resume": ("orchestrator.cli.resume:command", "Finish an apply that was interrupted."),
    "adopt": ("orchestrator.cli.adopt:command", "Record what was applied before infra came."),
    "output": ("orchestrator.cli.output:command", "Print a stack's outputs."),
    "state": ("orchestrator.cli.state:command", "Look into a stack's state; restore, move or forget it."),
    "fmt": ("orchestrator.cli.fmt:command", "Format Terraform files, or check that they are."),
    "init": ("orchestrator.cli.init:command", "Write the GitHub workflows, and say what to set."),
    "new": ("orchestrator.cli.new:command", "Begin a module, with a test, an example and a README."),
    "lock": ("orchestrator.cli.lock:command", "Pin provider versions, the same for all stacks."),
    "bootstrap": ("orchestrator.cli.bootstrap:command", "Make the state bucket and the accounts, once."),
    "lint": ("orchestrator.cli.lint:command", "Check formatting, validity, pins, secrets, READMEs and more."),
    "test": ("orchestrator.cli.test:command", "Run the modules' own tests, with simulated providers too."),
    "run": ("orchestrator.cli.run:command", "Run a Terraform command in a stack, by the rules of an apply."),
    "schema": ("orchestrator.cli.schema:command", "Print the JSON Schema of infra.yaml."),
    "doctor": ("orchestrator.cli.doctor:command", "Check git, Terraform, the bucket and the lock files."),
    "version": (
        "orchestrator.cli.version:command",
        "Show the version, and which Terraform would be used.",
    ),
    "sandbox": ("orchestrator.cli.sandbox:command", "A cloud in a folder, to try and rehearse things in."),
    "demo": ("orchestrator.cli.demo:command", "Watch a real change go from a branch to production."),
    "completion": (
        "orchestrator.cli.completion:command",
        "Print the completion script of bash, zsh or fish.",
    ),
}


EPILOG = """\b
Examples:
  infra list                 what there is
  infra plan                 what your branch changes, in every environment
  infra plan dev             all of dev
  infra apply dev/network    one stack: plan, ask, apply
  infra demo                 all of it, on a cloud in a folder

Exit codes: 0 done, 1 error, 2 changes (plan --detailed-exitcode), 3 usage or configuration,
4 blocked, 5 not what was planned, 6 locked, 7 partly applied, 8 drift, 130 interrupted.
"""


@click.group(
    cls=LazyGroup, table=COMMANDS, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="infra")
@click.option(
    "-C", "--chdir", metavar="DIR", type=click.Path(file_okay=False), help="Run as if started in DIR."
)
@click.option("--debug", is_flag=True, help="Show argument lists (masked), timings, tracebacks of defects.")
@click.option("--no-color", is_flag=True, help="No colour, on a terminal too (NO_COLOR does the same).")
@click.pass_context
def cli(ctx: click.Context, chdir: str | None, debug: bool, no_color: bool) -> None:
    """Terraform on Google Cloud, from pull request to production, with no server."""
    app = cast(App, ctx.obj)
    app.debug = debug
    app.no_color = no_color or bool(app.environ.get("NO_COLOR"))
    app.folder = chdir or app.folder


def run(argv: Sequence[str], app: App) -> int:
    """Run `infra ARGV` and return its exit code. Every failure is told here and nowhere else."""
    code = run_command(argv, app)
    app.stdout.flush()
    lost = lost_output(app.stdout)
    if lost is None:
        return code
    app.json = False  # the document would go where nothing arrives
    return exit_code_of([code, app.fail(lost)])


def run_command(argv: Sequence[str], app: App) -> int:
    """Run `infra ARGV` and return the exit code of the command itself."""
    ours = argv[: argv.index("--")] if "--" in argv else argv
    app.json = "--json" in ours
    app.command = next((word for word in ours if word in COMMANDS), "")
    told_before = tell_to(app.note)
    try:
        result = cli.main(args=list(argv), prog_name="infra", standalone_mode=False, obj=app)
        return result if isinstance(result, int) else int(Exit.OK)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        return app.fail(usage_error(error, ours))
    except InfraError as error:
        return app.fail(error)
    except (KeyboardInterrupt, click.Abort):
        app.note("Interrupted; nothing was changed.")
        return int(Exit.INTERRUPTED)
    except (OSError, RecursionError) as error:
        return app.unexpected(error, known_error(error))
    except Exception as error:
        return app.defect(error)
    finally:
        tell_to(told_before)


def usage_error(error: click.ClickException, argv: Sequence[str] = ()) -> UsageError:
    """click's complaint as ours: the same words, our exit code, and where to look next.

    An option written as Terraform writes it, `-target=x`, is answered with the spelling here.
    """
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "infra"
    if context and isinstance(error, click.NoSuchOption):
        known = {name for parameter in context.command.params for name in parameter.opts}
        for word in argv:
            name = "-" + word.partition("=")[0]
            if word.startswith("-") and name.startswith("--") and name in known:
                return UsageError(f"There is no option {name[1:]}.", advice=f"Write `-{word}`.")
    return UsageError(error.format_message(), advice=f"`{path} --help` shows the usage with examples.")


def forget_relative_folders(environ: MutableMapping[str, str]) -> None:
    """Leave only absolute folders on PATH: any other means the working directory, whose `git` would run."""
    folders = environ.get("PATH", "").split(os.pathsep)
    absolute = [folder for folder in folders if folder.startswith("/")]
    if absolute != folders and "PATH" in environ:
        environ["PATH"] = os.pathsep.join(absolute)


def main() -> NoReturn:
    """The console script."""
    forget_token_requests(os.environ)
    forget_relative_folders(os.environ)
    # In this order, that of the descriptors; in `sys` too, for what click prints.
    sys.stdin = open_stream(sys.stdin, "r")
    sys.stdout = standard_stream(open_stream(sys.stdout, "w"))
    sys.stderr = standard_stream(open_stream(sys.stderr, "w"))
    sys.exit(run(sys.argv[1:], App(os.environ, sys.stdin, sys.stdout, sys.stderr)))
