"""`infra completion`: the script that teaches a shell our commands, environments and stacks."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import with_options


@dataclass(frozen=True, kw_only=True)
class CompletionOptions:
    """The options of `infra completion`."""

    shell: str


@click.command(
    epilog="""\b
Examples:
  eval "$(infra completion bash)"                                in ~/.bashrc
  eval "$(infra completion zsh)"                                 in ~/.zshrc
  infra completion fish > ~/.config/fish/completions/infra.fish
"""
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@with_options(CompletionOptions)
def command(app: App, options: CompletionOptions) -> int:
    """Print the completion script of a shell.

    It completes commands, options, and the names of environments and stacks.
    """
    from click.shell_completion import get_completion_class

    root = click.get_current_context().find_root()
    completion = get_completion_class(options.shell)
    if completion is None:
        raise RuntimeError(f"click knows no completion for {options.shell}")
    app.write(completion(root.command, {}, "infra", "_INFRA_COMPLETE").source())
    return 0
