"""`python -m beans`: generate data, compile, run locally, report, deploy, check."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import google.auth
from google.auth.exceptions import DefaultCredentialsError
from google.auth.transport.requests import AuthorizedSession
from kfp.registry import RegistryClient

from beans.deploy import COMPILED, check, deploy
from beans.local import run_pipeline
from beans.pipeline import compile_pipeline, digest
from beans.report import render_markdown, render_text
from beans.settings import PipelineSettings, SettingsError, read_settings
from beans.synthetic import generate
from beans.vertex import SCOPE, Vertex, VertexError

ROWS = 13611


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; returns its exit code."""
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options))
    except (SettingsError, VertexError, RuntimeError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("beans", description="Tells seven kinds of dry beans apart.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("generate", help="Write synthetic beans to a CSV file.")
    command.add_argument(
        "--rows", type=int, default=ROWS, help="How many (default: as many as are published)."
    )
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--out", type=Path, required=True, metavar="FILE")
    command.set_defaults(run=_generate)

    command = commands.add_parser("compile", help="Compile the pipeline to compiled/beans.yaml.")
    command.add_argument(
        "--check", action="store_true", help="Write nothing; fail if the file is not up to date."
    )
    command.set_defaults(run=_compile)

    command = commands.add_parser(
        "local", help="Run the pipeline on this machine, and show how good the model is."
    )
    command.add_argument("--data", type=Path, metavar="FILE", help="A CSV file; without it, synthetic beans.")
    command.add_argument("--out", type=Path, default=Path("out"), metavar="FOLDER")
    command.set_defaults(run=_local)

    command = commands.add_parser("report", help="Run the pipeline on synthetic beans, and print Markdown.")
    command.add_argument("--rows", type=int, default=3000, help="How many beans (default: 3000).")
    command.add_argument("--out", type=Path, default=Path("out"), metavar="FOLDER")
    command.add_argument(
        "--baseline", type=Path, metavar="FILE", help="An earlier evaluation, to compare with."
    )
    command.set_defaults(run=_report)

    command = commands.add_parser("deploy", help="Upload the compiled pipeline, and let the schedule run it.")
    command.add_argument("environment")
    command.set_defaults(run=_deploy)

    command = commands.add_parser(
        "check", help="Run the deployed pipeline, and fail if its model is not good enough."
    )
    command.add_argument("environment")
    command.add_argument("--timeout", type=float, default=5400, metavar="SECONDS")
    command.set_defaults(run=_check)
    return parser


def _generate(options: argparse.Namespace) -> int:
    options.out.parent.mkdir(parents=True, exist_ok=True)
    generate(options.rows, options.seed).to_csv(options.out, index=False)
    return 0


def _compile(options: argparse.Namespace) -> int:
    compiled = compile_pipeline()
    if options.check:
        if not COMPILED.exists() or COMPILED.read_bytes() != compiled:
            raise RuntimeError(
                f"{COMPILED.name} is not what the code compiles to: run `python -m beans compile`"
            )
    else:
        COMPILED.parent.mkdir(exist_ok=True)
        COMPILED.write_bytes(compiled)
    print(digest(compiled))
    return 0


def _local(options: argparse.Namespace) -> int:
    data = options.data
    if data is None:
        data = options.out / "synthetic.csv"
        options.out.mkdir(parents=True, exist_ok=True)
        generate(ROWS, 1).to_csv(data, index=False)
        print(f"Wrote {ROWS} synthetic beans to {data}: what follows says nothing about real ones.")
    run = run_pipeline(data, options.out)
    picture = options.out / "confusion_matrix.png"
    picture.write_bytes(run.picture.read_bytes())
    (options.out / "evaluation.json").write_text(json.dumps(run.evaluation, indent=2) + "\n")
    print(render_text(run.evaluation))
    print(f"Picture: {picture}\nModel:   {run.model}")
    return 0


def _report(options: argparse.Namespace) -> int:
    baseline = json.loads(options.baseline.read_text()) if options.baseline else None
    options.out.mkdir(parents=True, exist_ok=True)
    data = options.out / "sample.csv"
    generate(options.rows, 1).to_csv(data, index=False)
    # What the steps print goes to standard output too; only the report belongs there.
    with redirect_stdout(sys.stderr):
        run = run_pipeline(data, options.out)
    print(render_markdown(run.evaluation, baseline), end="")
    return 0


def _deploy(options: argparse.Namespace) -> int:
    settings = read_settings(options.environment)
    deploy(settings, RegistryClient(settings.registry), _vertex(settings), print)
    return 0


def _check(options: argparse.Namespace) -> int:
    settings = read_settings(options.environment)
    check(settings, _vertex(settings), options.timeout, 20, print)
    return 0


def _vertex(settings: PipelineSettings) -> Vertex:
    try:
        credentials, _ = google.auth.default([SCOPE])
    except DefaultCredentialsError as error:
        raise VertexError(f"no credentials of Google Cloud: {error}") from error
    base = f"https://{settings.location}-aiplatform.googleapis.com"
    return Vertex(AuthorizedSession(credentials), base, settings.project, settings.location)


if __name__ == "__main__":
    sys.exit(main())
