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
from orchestrator.cli.app import App
from orchestrator.cli.support.lazy_group import LazyGroup
from orchestrator.cli.terminal.standard_streams import lost_output, open_stream, standard_stream
from orchestrator.errors import Exit, InfraError, UsageError, exit_code_of, known_error
from orchestrator.job_tokens import forget_token_requests
from orchestrator.state.bucket_operations import set_wait_listener

# name → (module:attribute, one line for --help); the order is the order in which people meet them.
COMMANDS: dict[str, tuple[str, str]] = {
    "list": ("orchestrator.cli.list:command", "Show environments, stacks and modules, and what reads them."),
    "graph": ("orchestrator.cli.graph:command", "Draw the dependencies between stacks."),
    "validate": ("orchestrator.cli.validate:command", "Check the layout, backends, cycles and lock files."),
    "affected": ("orchestrator.cli.affected:command", "Show which stacks a change affects, and why."),
    "guard": ("orchestrator.cli.guard:command", "Check code against the rules before Terraform runs."),
    "plan": ("orchestrator.cli.plan:command", "Show what Terraform would change."),
    "apply": ("orchestrator.cli.apply:command", "Plan, ask, and apply exactly what was shown."),
    "destroy": ("orchestrator.cli.destroy:command", "Destroy stacks, in reverse order."),
    "ci": ("orchestrator.cli.ci:command", "Take a pull request to production, in CI jobs."),
    "status": ("orchestrator.cli.status:command", "Show what is applied where, pending, or interrupted."),
    "owners": ("orchestrator.cli.owners:command", "Show who owns each stack, by CODEOWNERS."),
    "parity": ("orchestrator.cli.parity:command", "Show what differs between environments."),
    "history": ("orchestrator.cli.history:command", "Show which runs changed what."),
    "query": ("orchestrator.cli.query:command", "Query stacks, runs, resources and drift, in SQL."),
    "impact": ("orchestrator.cli.impact:command", "Show which stacks a change of a module or stack reaches."),
    "metrics": ("orchestrator.cli.metrics:command", "Show how often and how well changes are deployed."),
    "portal": ("orchestrator.cli.portal:command", "Build static pages about all of it, or show them."),
    "notify": ("orchestrator.cli.notify:command", "Show the channels for messages, or send a test message."),
    "mcp": ("orchestrator.cli.mcp:command", "Serve read-only tools to an agent or an editor."),
    "drift": ("orchestrator.cli.drift:command", "Show what was changed outside Terraform."),
    "unlock": ("orchestrator.cli.unlock:command", "Release the lock of a run that has died."),
    "resume": ("orchestrator.cli.resume:command", "Finish an apply that was interrupted."),
    "adopt": ("orchestrator.cli.adopt:command", "Record stacks that were applied without infra."),
    "output": ("orchestrator.cli.output:command", "Print a stack's outputs."),
    "state": ("orchestrator.cli.state:command", "Show a stack's state; restore, move or forget it."),
    "ledger": ("orchestrator.cli.ledger:command", "Claim the ledgers in the bucket for this repository."),
    "fmt": ("orchestrator.cli.fmt:command", "Format Terraform files, or check their format."),
    "init": ("orchestrator.cli.init:command", "Write the GitHub workflows, and list what to configure."),
    "new": (
        "orchestrator.cli.new:command",
        "Make a repository, an environment, a stack or a service.",
    ),
    "catalog": ("orchestrator.cli.catalog:command", "Show the templates of `infra new`."),
    "lock": ("orchestrator.cli.lock:command", "Pin provider versions, the same for all stacks."),
    "bootstrap": ("orchestrator.cli.bootstrap:command", "Create the state bucket and the accounts, once."),
    "lint": ("orchestrator.cli.lint:command", "Check formatting, validity, pins, secrets, READMEs and more."),
    "test": ("orchestrator.cli.test:command", "Run the modules' own tests, with simulated providers too."),
    "run": (
        "orchestrator.cli.run:command",
        "Run a Terraform command in a stack, with the safety of an apply.",
    ),
    "schema": ("orchestrator.cli.schema:command", "Print the JSON Schema of infra.yaml."),
    "doctor": ("orchestrator.cli.doctor:command", "Check git, Terraform, the bucket and the lock files."),
    "warm": ("orchestrator.cli.warm:command", "Show or end providers that stay running between runs."),
    "version": (
        "orchestrator.cli.version:command",
        "Show the version, and which Terraform is used.",
    ),
    "sandbox": (
        "orchestrator.cli.sandbox:command",
        "Run a simulated cloud in a folder, for tests and rehearsals.",
    ),
    "demo": ("orchestrator.cli.demo:command", "Watch a change go from a branch to production."),
    "completion": (
        "orchestrator.cli.completion:command",
        "Print the completion script of bash, zsh or fish.",
    ),
}


# Of `git rev-parse --local-env-vars`, without those that only carry settings (`GIT_CONFIG_*`).
GIT_LOCATIONS = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)

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
@click.option("--debug", is_flag=True, help="Print commands (masked), timings, and tracebacks of defects.")
@click.option("--cold", is_flag=True, help="Use no cached plan and no shared providers.")
@click.option("--timing", is_flag=True, help="Print how long Terraform ran, and which stacks ran cold.")
@click.option("--no-color", is_flag=True, help="Print without colour, as NO_COLOR does.")
@click.pass_context
def cli(ctx: click.Context, chdir: str | None, debug: bool, cold: bool, timing: bool, no_color: bool) -> None:
    """Terraform on Google Cloud, from pull request to production, with no server."""
    app = cast(App, ctx.obj)
    app.debug = debug
    app.cold = cold
    app.timing = timing
    app.no_color = no_color or bool(app.environ.get("NO_COLOR"))
    app.folder = chdir or app.folder


def run(argv: Sequence[str], app: App) -> int:
    """Run `infra ARGV` and return its exit code. Every error is reported here and nowhere else."""
    code = _run_command(argv, app)
    app.stdout.flush()
    lost = lost_output(app.stdout)
    if lost is None:
        return code
    app.json = False  # the document would go where nothing arrives
    return exit_code_of([code, app.fail(lost)])


def _run_command(argv: Sequence[str], app: App) -> int:
    """Run `infra ARGV` and return the exit code of the command itself."""
    own_argv = argv[: argv.index("--")] if "--" in argv else argv
    app.json = "--json" in own_argv
    app.command = next((word for word in own_argv if word in COMMANDS), "")
    previous_listener = set_wait_listener(app.note)
    try:
        result = cli.main(args=list(argv), prog_name="infra", standalone_mode=False, obj=app)
        return result if isinstance(result, int) else int(Exit.OK)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        app.write(error.format_message())
        return int(Exit.OK)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        app.command = context.command_path.partition(" ")[2] if context else app.command
        return app.fail(_usage_error(error, own_argv))
    except InfraError as error:
        return app.fail(error)
    except (KeyboardInterrupt, click.Abort):
        app.note("Interrupted; nothing was changed.")
        return int(Exit.INTERRUPTED)
    except (OSError, RecursionError) as error:
        return app.report_unexpected(error, known_error(error))
    except Exception as error:
        return app.report_defect(error)
    finally:
        set_wait_listener(previous_listener)


def _usage_error(error: click.ClickException, argv: Sequence[str] = ()) -> UsageError:
    """Converts an error of click: the same message, our exit code, and the next step.

    An option written as Terraform writes it, `-target=x`, is answered with the spelling here; a typing error
    (`-taget=x`) too.
    """
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "infra"
    advice = f"`{path} --help` shows the usage with examples."
    if context and isinstance(error, click.NoSuchOption) and len(error.option_name) == 2:
        import difflib
        import re

        options = {name: parameter for parameter in context.command.params for name in parameter.opts}
        for word in argv:
            option, equals, value = word.partition("=")
            # Click reads it as several options of one letter, and names the first that there is not.
            if not re.fullmatch(r"-\w[\w-]+", option) or error.option_name[1] not in option:
                continue
            near = difflib.get_close_matches(f"-{option}", options, n=1, cutoff=0.8)
            if near and getattr(options[near[0]], "is_flag", False):
                advice = "Leave it out." if value == "false" else f"Write `{near[0]}`."
            elif near:
                advice = f"Write `{near[0]}{equals}{value}`."
            return UsageError(f"There is no option {option}.", advice=advice)
    return UsageError(error.format_message(), advice=advice)


def forget_relative_folders(environ: MutableMapping[str, str]) -> None:
    """Removes relative folders from PATH: they would let a `git` in the working directory run."""
    folders = environ.get("PATH", "").split(os.pathsep)
    absolute = [folder for folder in folders if folder.startswith("/")]
    if absolute != folders and "PATH" in environ:
        environ["PATH"] = os.pathsep.join(absolute)


def forget_git_locations(environ: MutableMapping[str, str]) -> None:
    """Removes variables by which Git would work on another repository than the one we are in.

    A Git hook that runs infra has them, and so has a shell that was made for a bare repository.
    """
    for name in GIT_LOCATIONS & environ.keys():
        del environ[name]


def main() -> NoReturn:
    """The console script."""
    forget_git_locations(os.environ)
    forget_token_requests(os.environ)
    forget_relative_folders(os.environ)
    # In this order, that of the descriptors; in `sys` too, for what click prints.
    sys.stdin = open_stream(sys.stdin, "r")
    is_closed = sys.stdout is None
    sys.stdout = standard_stream(open_stream(sys.stdout, "w"), is_closed=is_closed)
    sys.stderr = standard_stream(open_stream(sys.stderr, "w"))
    sys.exit(run(sys.argv[1:], App(os.environ, sys.stdin, sys.stdout, sys.stderr)))
