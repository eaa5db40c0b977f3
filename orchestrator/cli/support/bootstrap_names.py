"""Asks for the names that a bootstrap needs, once: by options, on a terminal, and of GitHub."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.cli.app import App
from orchestrator.errors import ForgeError, UsageError
from orchestrator.forge.factory import find_repository, open_setup
from orchestrator.repository.model import Project
from orchestrator.scaffold.bootstrap_code import BootstrapNames

_BUCKET = re.compile(r"[a-z0-9][a-z0-9_.-]{1,220}[a-z0-9]")
_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_REGION = re.compile(r"[a-z]+(?:-[a-z]+)+\d+")
_LOCATION = re.compile(r"[A-Z0-9-]{2,30}")
_ADMIN = re.compile(r"(?:group|user|serviceAccount|domain):[\w.+@-]+")
_ADMINS = "Administrators of the bucket (group:…, user:…)"
REGION, LOCATION = "europe-west1", "EU"


@dataclass(frozen=True, kw_only=True)
class NameOptions:
    """The names that the command line gives; `projects` are `ENV=PROJECT`."""

    bucket: str
    project: str
    region: str
    location: str
    admins: tuple[str, ...]
    projects: tuple[str, ...]


def find_names(app: App, project: Project, options: NameOptions) -> BootstrapNames:
    """The names: of the options, else asked for on a terminal; the ids of the repository come from GitHub.

    What nobody knows is empty. Raises UsageError for a name that Google would not accept.
    """
    backend = project.config.backend
    of_states = backend.bucket if backend and "{" not in backend.bucket else ""
    environments = project.order.all or tuple(project.config.environments)
    project_ids = _parse_projects(options.projects, environments)
    repository = find_repository(project, app.environ)
    owner, _, repository_name = repository.partition("/")
    owner_id, repository_id = _find_ids(app, project)
    answers = _Answers(app)
    bucket = answers.get(
        options.bucket or of_states, "Bucket of the bootstrap's own state, which is created", "", _BUCKET
    )
    return BootstrapNames(
        bucket=bucket,
        is_bucket_apart=bucket != of_states,
        project=answers.get(options.project, "Project of the bucket and the accounts", "", _PROJECT),
        region=answers.get(options.region, "Region", REGION, _REGION),
        location=answers.get(options.location, "Location of the bucket", LOCATION, _LOCATION),
        admins=_split(answers.get(",".join(options.admins), _ADMINS, "", _ADMIN, several=True)),
        projects={
            name: answers.get(project_ids.get(name, ""), f"Project of {name}", "", _PROJECT)
            for name in environments
        },
        owner=owner,
        owner_id=owner_id,
        repository=repository_name,
        repository_id=repository_id,
    )


@dataclass(frozen=True)
class _Answers:
    """What options say, else what a person answers."""

    app: App

    def get(
        self, option: str, question: str, default: str, pattern: re.Pattern[str], *, several: bool = False
    ) -> str:
        """A name; empty where it is not given and nobody can be asked."""
        is_valid: Callable[[str], bool] = lambda text: all(  # noqa: E731 - short
            pattern.fullmatch(part.strip()) for part in (text.split(",") if several else (text,))
        )
        if option:
            if not is_valid(option):
                raise UsageError(f"{option!r} is no name that Google accepts.", advice=f"{question}.")
            return option
        if not self.app.interactive:
            return default
        while True:
            hint = f" [{default}]" if default else ""
            line = self.app.ask(f"{question}{hint}: ")
            if not line:
                raise UsageError("Nothing was answered.", advice="Give the names as options.")
            answer = line.strip() or default
            if is_valid(answer):
                return answer
            self.app.note(f"{answer!r} is no name that Google accepts.")


def _parse_projects(texts: Sequence[str], environments: Sequence[str]) -> Mapping[str, str]:
    projects = {}
    for text in texts:
        name, separator, id_ = text.partition("=")
        if not separator or name not in environments:
            raise UsageError(
                f"--environment-project {text!r} names no environment.",
                advice=f"Write ENV=PROJECT; there are {', '.join(environments) or 'none'}.",
            )
        projects[name] = id_
    return projects


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _find_ids(app: App, project: Project) -> tuple[str, str]:
    """The numbers of the repository's owner and of the repository; empty where GitHub cannot be asked."""
    try:
        with open_setup(project, app.environ) as host:
            return host.ids()
    except (UsageError, ForgeError) as error:
        app.note(f"The numbers of the repository are not known: {error.message} {error.advice}")
        return "", ""
