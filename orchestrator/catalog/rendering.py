"""Renders a template with Copier into memory. The only module that imports Copier."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import BlockedError, InfraError, UsageError

INSTALL = "Install it with the extra `catalog`: `pip install 'infra-orchestrator[catalog]'`."

# Beside copier.yml: each file has sample answers by question, and is no part of what is rendered.
SAMPLE_FILE = re.compile(r"(sample(?:-[a-z0-9]+)*)[.]yaml")


class TemplateRenderError(InfraError):
    """A template cannot be rendered: its questions or its files are wrong."""


@dataclass(frozen=True)
class RenderRequest:
    """What to render.

    `folder` holds the template on disk. `context` are values that infra gives, `data` are answers that were
    typed or recorded, `defaults` replace the defaults of questions that are still asked. `is_trusted` lets
    the template run code. Without `asks` every question without an answer takes its default.
    """

    template: str
    folder: Path
    context: Mapping[str, Any]
    data: Mapping[str, Any]
    defaults: Mapping[str, Any]
    is_trusted: bool = False
    asks: bool = False


@dataclass(frozen=True)
class Rendering:
    """The rendered files by path, and all values to record: answers to secret questions are left out."""

    files: Mapping[str, bytes]
    answers: Mapping[str, Any]


def render_template(request: RenderRequest) -> Rendering:
    """Renders into a temporary folder and reads the files back; nothing is written elsewhere.

    Raises UsageError for an answer that is unknown, missing or fails its validation; BlockedError for a
    template that would run code and is not trusted; TemplateRenderError for a template that is wrong.
    """
    try:
        import copier
        from copier import errors
    except ImportError as error:
        raise InfraError("Copier is not installed, which renders templates.", advice=INSTALL) from error
    _require_numbers(request)
    with tempfile.TemporaryDirectory(prefix="infra-") as temporary:
        target = Path(temporary, "rendered")
        try:
            worker = copier.run_copy(
                str(request.folder),
                target,
                {**request.data, **request.context},
                # Nothing that a person keeps in the home directory decides whom to trust.
                settings=copier.Settings(),
                user_defaults=dict(request.defaults),
                defaults=not request.asks,
                unsafe=request.is_trusted,
                quiet=True,
            )
        except errors.UnsafeTemplateError as error:
            raise BlockedError(
                f"The template {request.template} would run code: {_first_line(error)}",
                advice="Read it; to allow it, set `trusted: true` in its entry of `catalog` on trunk.",
            ) from error
        except errors.CopierAnswersInterrupt as error:
            raise KeyboardInterrupt from error
        except Exception as error:
            # Of a question, no answer or one that is not valid, is a plain one. Anything else is the
            # template's own: its expressions and settings can raise whatever there is.
            if type(error) not in (ValueError, json.JSONDecodeError):
                raise _broken(request, error) from error
            raise UsageError(
                f"{request.template}: {error}",
                advice=f"`--data KEY=VALUE` answers; `infra catalog show {request.template}` lists them.",
            ) from error
        questions = worker.template.questions_data.keys()
        _require_known(request, questions)
        values = worker.answers.combined
        public = [
            *request.context,
            *(key for key in questions if key not in worker.template.secret_questions),
        ]
        answers = {key: values[key] for key in dict.fromkeys(public) if key in values}
        files = _read_files(request, target)
        if not worker.template.subdirectory:
            files = {name: data for name, data in files.items() if not SAMPLE_FILE.fullmatch(name)}
        return Rendering(files, answers)


def _broken(request: RenderRequest, error: Exception) -> TemplateRenderError:
    kind = type(error).__name__
    return TemplateRenderError(
        f"The template {request.template} cannot be rendered: {kind}: {_first_line(error)}",
        advice="Correct the files of the template, and commit them.",
    )


def _first_line(error: Exception) -> str:
    """What is wrong, without Copier's advice to trust the template, which names options of its own."""
    return str(error).partition("\n")[0]


def _require_known(request: RenderRequest, questions: Any) -> None:
    unknown = sorted(set(request.data) - set(questions) - set(request.context))
    if unknown:
        names = ", ".join(sorted(set(questions) - set(request.context)))
        raise UsageError(
            f"The template {request.template} has no question {unknown[0]!r}.",
            advice=f"It asks: {names or 'nothing'}.",
        )


def _require_numbers(request: RenderRequest) -> None:
    """Refuses text for a number: Copier does not name the question."""
    for name, question in read_questions(request.folder).items():
        kind, answer = question.get("type"), request.data.get(name)
        if kind in ("int", "float") and isinstance(answer, str):
            try:
                float(answer) if kind == "float" else int(answer)
            except ValueError as error:
                raise UsageError(
                    f"{request.template}: {name} must be a {'whole ' if kind == 'int' else ''}number, "
                    f"not {answer!r}.",
                    advice=f"Write `--data {name}=NUMBER`.",
                ) from error


def _read_files(request: RenderRequest, folder: Path) -> dict[str, bytes]:
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise TemplateRenderError(
                f"The template {request.template} makes a link, {name}.",
                advice="Templates make files only.",
            )
        if not name.isprintable() or any(part.casefold() == ".git" for part in name.split("/")):
            raise TemplateRenderError(
                f"The template {request.template} makes {name!r}.",
                advice="Names are printable, and no part of a path is `.git`.",
            )
        if path.is_file():
            files[name] = path.read_bytes()
    return files


def read_questions(folder: Path) -> dict[str, Mapping[str, Any]]:
    """The questions of a template by name, as its copier.yml has them; a plain value is a default."""
    import yaml

    for name in ("copier.yml", "copier.yaml"):
        path = folder / name
        if path.is_file():
            try:
                document = yaml.safe_load(path.read_bytes())
            except yaml.YAMLError as error:
                raise TemplateRenderError(f"{name} of a template is not YAML: {error}") from error
            if not isinstance(document, dict):
                raise TemplateRenderError(f"{name} of a template holds no questions.")
            return {
                key: value if isinstance(value, dict) else {"default": value}
                for key, value in document.items()
                if not str(key).startswith("_")
            }
    raise TemplateRenderError("A template has no copier.yml.", advice="It lists the template's questions.")
