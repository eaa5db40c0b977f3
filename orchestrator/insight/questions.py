"""Questions that many have, with the query that answers each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.errors import UsageError
from orchestrator.repository.discovery import nearest


@dataclass(frozen=True)
class Question:
    """A question by a name. `parameters` are the names of the values that `sql` wants, in their order."""

    name: str
    text: str
    sql: str
    parameters: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """How it is asked: `module-users MODULE`."""
        return " ".join((self.name, *(parameter.upper() for parameter in self.parameters)))

    def bind(self, values: Sequence[str]) -> dict[str, object]:
        """The values by their names; UsageError where their number does not fit."""
        if len(values) != len(self.parameters):
            raise UsageError(
                f"The question {self.name} wants {len(self.parameters)} values, and has {len(values)}.",
                advice=f"infra query {self.usage}",
            )
        return dict(zip(self.parameters, values, strict=True))


QUESTIONS: tuple[Question, ...] = (
    Question(
        "module-users",
        "Which stacks use a module, directly or through other modules?",
        "SELECT m.stack, m.direct, s.status, s.owners FROM modules m JOIN stacks s ON s.id = m.stack "
        "WHERE m.module = rtrim(:module, '/') OR m.module LIKE '%/' || rtrim(:module, '/') ORDER BY m.stack",
        ("module",),
    ),
    Question(
        "pull-request",
        "What did a pull request change in an environment?",
        "SELECT d.stack, d.result, d.created, d.updated, d.replaced, d.deleted, d.at, d.person, d.run "
        "FROM deployments d WHERE d.pull_request = CAST(ltrim(:number, '#') AS INTEGER) "
        "AND d.environment = :environment ORDER BY d.at, d.stack",
        ("number", "environment"),
    ),
    Question(
        "pull-request-resources",
        "Which resources did a pull request change in an environment, by the journals of CI jobs?",
        "SELECT stack, address, action, outcome, at FROM changes "
        "WHERE pull_request = CAST(ltrim(:number, '#') AS INTEGER) AND environment = :environment "
        "ORDER BY at, stack, address",
        ("number", "environment"),
    ),
    Question(
        "without-label",
        "Which resources have no such label or tag, although their type can have some?",
        "WITH labels AS (SELECT stack, address, path FROM attributes WHERE path IN "
        "('labels', 'tags', 'effective_labels', 'tags_all') OR path LIKE 'labels.%' OR path LIKE 'tags.%' "
        "OR path LIKE 'effective|_labels.%' ESCAPE '|' OR path LIKE 'tags|_all.%' ESCAPE '|') "
        "SELECT r.stack, r.address, r.type FROM resources r WHERE r.mode = 'managed' AND r.type IN "
        "(SELECT o.type FROM resources o JOIN labels l ON l.stack = o.stack AND l.address = o.address) "
        "AND NOT EXISTS (SELECT 1 FROM labels l WHERE l.stack = r.stack AND l.address = r.address "
        "AND l.path IN ('labels.' || :label, 'tags.' || :label, 'effective_labels.' || :label, "
        "'tags_all.' || :label)) ORDER BY r.stack, r.address",
        ("label",),
    ),
    Question(
        "who-applied",
        "Who applied each stack last?",
        'SELECT s.id, s.applied_at, r.person, r."trigger", r.pull_request, substr(s."commit", 1, 10) AS '
        '"commit", s.subject FROM stacks s LEFT JOIN runs r ON r.run = s.applied_run '
        "AND r.environment = s.environment ORDER BY s.applied_at IS NULL, s.applied_at DESC, s.id",
    ),
    Question(
        "unapproved",
        "What was applied without a plan that a pull request has shown?",
        'SELECT d.at, d.stack, d.result, d.person, d."trigger", d.pull_request, d.break_glass, d.run '
        "FROM deployments d WHERE d.created + d.updated + d.replaced + d.deleted > 0 "
        "AND (d.break_glass IS NOT NULL OR NOT EXISTS (SELECT 1 FROM approvals a "
        "WHERE a.environment = d.environment AND a.stack = d.stack AND a.pull_request = d.pull_request)) "
        "ORDER BY d.at DESC, d.stack",
    ),
    Question(
        "biggest-states",
        "Which states are the biggest?",
        "SELECT s.id, s.state_size, t.resources, t.terraform_version FROM stacks s "
        "LEFT JOIN states t ON t.stack = s.id WHERE s.state_size IS NOT NULL "
        "ORDER BY s.state_size DESC, s.id LIMIT 20",
    ),
    Question(
        "unfinished",
        "Which stacks are in the middle of a run, or were interrupted there?",
        "SELECT id, status, operation, run, problem FROM stacks "
        "WHERE status IN ('unfinished', 'running', 'unreadable', 'failed') ORDER BY id",
    ),
    Question(
        "behind",
        "How far is each stack behind trunk?",
        'SELECT id, status, commits_behind, substr("commit", 1, 10) AS "commit", applied_at FROM stacks '
        "ORDER BY commits_behind IS NULL DESC, commits_behind DESC, id",
    ),
    Question(
        "drifted",
        "Which stacks drift now, and since when?",
        "SELECT stack, severity, began, resources, came_back, checked_at FROM drift "
        "WHERE began IS NOT NULL AND ended IS NULL ORDER BY began, stack",
    ),
    Question(
        "failures",
        "Which stacks failed or were interrupted?",
        "SELECT at, stack, result, reason, person, run FROM deployments "
        "WHERE result IN ('failed', 'interrupted', 'mismatch', 'blocked') ORDER BY at DESC, stack",
    ),
    Question(
        "providers",
        "Which providers are used, by how many resources and stacks?",
        "SELECT provider, count(*) AS resources, count(DISTINCT stack) AS stacks FROM resources "
        "GROUP BY provider ORDER BY resources DESC, provider",
    ),
)


def find_question(name: str) -> Question | None:
    """The question with a name; None for what is no name. UsageError for a name that no question has."""
    question = next((question for question in QUESTIONS if question.name == name), None)
    if question is None and name and all(char.isalnum() or char in "-_" for char in name):
        raise UsageError(
            f"There is no question {name!r}.",
            advice=nearest(name, [question.name for question in QUESTIONS])
            or "`infra query --list` shows them.",
        )
    return question
