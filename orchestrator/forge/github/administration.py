"""Reads and changes the settings of a repository on GitHub for `infra bootstrap` and `infra doctor --fix`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from orchestrator.errors import ForgeError
from orchestrator.forge.github.calls import documented_answers
from orchestrator.forge.github.settings import ACTIONS, PAGE, Settings
from orchestrator.forge.github.setup_changes import (
    ADMINISTRATION,
    ALL_VARIABLES,
    BRANCH_POLICIES,
    RULESET,
    RULESETS,
    VARIABLE,
    VARIABLES,
    EnvironmentRecord,
    Reviewer,
    SetupState,
    SetupTarget,
    plan_setup,
)
from orchestrator.forge.settings import Unreadable
from orchestrator.forge.setup import SettingChange, SettingsRequest, SetupPlan, SetupRequest

_READ_VARIABLES = "variables: read"
_WORKFLOW = ".github/workflows/infra-plan.yml"
# What does not exist: changing it changes nothing, and shows whether the token may.
_NO_RULESET = f"{RULESETS}/0"
_NO_VARIABLE = f"{ALL_VARIABLES}/INFRA_THAT_NOBODY_SETS"


class Administration(Settings):
    """A repository's settings with the rights of an administrator."""

    def plan_setup(self, request: SetupRequest) -> SetupPlan:
        """The changes that lead to what is requested; reviewers are looked up where a gate has none."""
        gates = [f"{name}-approval" for name in request.gates]
        state = self._setup_state(request.trunk, (*request.environments, *gates))
        is_lacking = not all(map(state.reviewers_of, gates))
        reviewers = tuple(map(self._reviewer, request.reviewers)) if is_lacking else ()
        target = SetupTarget(request.trunk, request.environments, request.gates, reviewers, request.provider)
        return plan_setup(target, state)

    @documented_answers()
    def _setup_state(self, trunk: str, names: Iterable[str]) -> SetupState:
        """Reads what `plan_setup` compares; `names` are the environments. Raises ForgeError."""
        settings = self.settings(trunk)
        if isinstance(settings.workflow_rights, Unreadable):
            raise ForgeError(
                f"The settings cannot be seen: {settings.workflow_rights.why}",
                advice=f"The token needs `{ADMINISTRATION}` on {self.repository}.",
            )
        environments = {name: record for name in names if (record := self._environment_record(name))}
        return SetupState(
            environments=environments,
            protection=settings.protection,
            workflow_rights=settings.workflow_rights,
            provider=self._variable(),
            ruleset=self._own_ruleset(),
            has_workflows=self._has_workflows(trunk),
        )

    def ids(self) -> tuple[str, str]:
        """The numbers of the owner and of the repository: names can be taken over."""
        repository = self._get("look at the repository", "metadata: read", "")
        return str(repository["owner"]["id"]), str(repository["id"])

    def _reviewer(self, name: str) -> Reviewer:
        """A user by login, or a team by `ORGANIZATION/TEAM`. Raises ForgeError if there is none."""
        name = name.removeprefix("@")
        organization, _, team = name.partition("/")
        path = (
            f"/orgs/{quote(organization, safe='')}/teams/{quote(team, safe='')}"
            if team
            else f"/users/{quote(name, safe='')}"
        )

        def request() -> int:
            return int(self._requester.requestJsonAndCheck("GET", path)[1]["id"])

        needs = "members: read" if team else "metadata: read"
        return Reviewer("Team" if team else "User", self._ask(f"find {name}", needs, request), name)

    def require_rights(self, changes: Iterable[SettingChange]) -> None:
        """Raises ForgeError, naming the permission, if the token may not make one of these changes.

        Changes nothing: it asks for changes of what does not exist.
        """
        needed = {change.needs for change in changes}
        if ADMINISTRATION in needed:
            self._probe(SettingsRequest("DELETE", _NO_RULESET), ADMINISTRATION)
        if VARIABLES in needed:
            self._probe(SettingsRequest("PATCH", _NO_VARIABLE, {"value": ""}), VARIABLES)

    def change_setting(self, change: SettingChange) -> None:
        """Makes one change. Raises ForgeError."""
        for request in change.requests:
            try:
                self._send(f"set {change.text.partition(':')[0]}", change.needs, request)
            except ForgeError as error:
                # What is to go is gone: an earlier try did it, whose answer was lost.
                if request.method != "DELETE" or error.status != 404:
                    raise

    def _probe(self, request: SettingsRequest, needs: str) -> None:
        try:
            self._send("change the settings", needs, request)
        except ForgeError as error:
            if error.status != 404:
                raise

    def _send(self, doing: str, needs: str, request: SettingsRequest) -> None:
        url = f"{self._repo.url}{request.path}"

        def send() -> bool:
            body = None if request.body is None else dict(request.body)
            self._requester.requestJsonAndCheck(request.method, url, input=body)
            return True

        def find_created() -> bool | None:
            return self._is_created(request) or None

        self._ask(doing, needs, send, find_created if request.method == "POST" else None)

    def _is_created(self, request: SettingsRequest) -> bool:
        """Whether what a POST creates exists: GitHub refuses to create it again."""
        body = request.body or {}
        if request.path == RULESETS:
            return self._own_ruleset() > 0
        if request.path == ALL_VARIABLES:
            return self._variable() == str(body["value"])
        return any(name == str(body["name"]) for _, name in self._branch_policies(request.path))

    def _environment_record(self, name: str) -> EnvironmentRecord | None:
        """A deployment environment with the ids of its reviewers and policies; None if there is none."""
        path = f"/environments/{quote(name, safe='')}"
        try:
            raw: Mapping[str, Any] = self._get(f"look at the environment {name}", ACTIONS, path)
        except ForgeError as error:
            if error.status != 404:
                raise
            return None
        rules = {rule["type"]: rule for rule in raw.get("protection_rules") or ()}
        review, policy = rules.get("required_reviewers", {}), raw.get("deployment_branch_policy") or {}
        policies: tuple[tuple[int, str], ...] = ()
        if policy.get("custom_branch_policies"):
            policies = self._branch_policies(f"{path}/{BRANCH_POLICIES}")
        return EnvironmentRecord(
            name,
            tuple(
                Reviewer(
                    "Team" if each["type"] == "Team" else "User",
                    int(each["reviewer"]["id"]),
                    str(each["reviewer"].get("slug") or each["reviewer"].get("login") or ""),
                )
                for each in review.get("reviewers") or ()
            ),
            bool(review.get("prevent_self_review")),
            int(rules.get("wait_timer", {}).get("wait_timer") or 0),
            bool(policy.get("protected_branches")),
            bool(policy.get("custom_branch_policies")),
            policies,
        )

    def _branch_policies(self, path: str) -> tuple[tuple[int, str], ...]:
        """The id and the pattern of each branch policy of an environment."""
        listed = self._get("look at who may deploy", ACTIONS, path, {"per_page": PAGE})
        return tuple((int(each["id"]), str(each["name"])) for each in listed["branch_policies"])

    def _variable(self) -> str:
        """The value of the workflows' variable; empty if it is not set."""
        try:
            path = f"{ALL_VARIABLES}/{VARIABLE}"
            return str(self._get("look at the variables", _READ_VARIABLES, path)["value"])
        except ForgeError as error:
            if error.status != 404:
                raise
            return ""

    def _own_ruleset(self) -> int:
        """The id of infra's ruleset; 0 if there is none."""
        rulesets = self._get("list the rulesets", "metadata: read", RULESETS, {"per_page": PAGE})
        return next((int(each["id"]) for each in rulesets if each["name"] == RULESET), 0)

    def _has_workflows(self, trunk: str) -> bool:
        try:
            self._get("look at the workflows", "contents: read", f"/contents/{_WORKFLOW}", {"ref": trunk})
        except ForgeError as error:
            if error.status != 404:
                raise
            return False
        return True
