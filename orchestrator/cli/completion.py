"""`infra completion`: the script that teaches a shell our commands, environments and stacks."""

from __future__ import annotations

import click

from orchestrator.cli.context import pass_app


@click.command(
    epilog="""\b
Examples:
  eval "$(infra completion bash)"                                in ~/.bashrc
  eval "$(infra completion zsh)"                                 in ~/.zshrc
  infra completion fish > ~/.config/fish/completions/infra.fish
"""
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print the completion script of a shell.

    It completes commands, options, and the names of environments and stacks.
    """
    from click.shell_completion import get_completion_class

    app = pass_app(ctx)
    root = ctx.find_root()
    completion = get_completion_class(shell)
    if completion is None:
        raise RuntimeError(f"click knows no completion for {shell}")
    app.write(completion(root.command, {}, "infra", "_INFRA_COMPLETE").source())
    return 0
