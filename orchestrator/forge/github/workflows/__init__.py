"""Renders the workflows that ship from the templates beside this file, for one repository."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from orchestrator.engine.shards import OUTPUT as SHARDS
from orchestrator.forge.github.actions import (
    AUTH,
    CHECKOUT,
    DEPLOY_PAGES,
    DOWNLOAD,
    SETUP_INFRACOST,
    SETUP_OPENTOFU,
    SETUP_TERRAFORM,
    UPLOAD,
    UPLOAD_SARIF,
)
from orchestrator.forge.github.install_step import InstallParts, render_install_step
from orchestrator.forge.install_source import ActionSource, Source
from orchestrator.forge.workflow_target import PortalHost, WorkflowTarget

FOLDER = ".github/workflows"
# The variable that `infra bootstrap` says how to set.
PROVIDER = "${{ vars.INFRA_WORKLOAD_IDENTITY_PROVIDER }}"

_CHECKOUT = f"""\
      - uses: {CHECKOUT.reference}
        with:
          fetch-depth: 0
          persist-credentials: false
@@FETCHED@@
"""
# Only a run that was started by hand names its pull request in an input: a caller, which comes from the pull
# request itself, cannot put another one in place of the event's.
_MERGE = (
    "${{ github.event_name == 'workflow_dispatch' "
    "&& format('refs/pull/{0}/merge', inputs.pull_request) || github.sha }}"
)
# Of a pull request what GitHub would merge; on request that of the pull request that was named. Links that it
# brings where infra and the steps write would lead them to other files of the runner.
_CHECKOUT_HEAD = f"""\
      - uses: {CHECKOUT.reference}
        with:
          ref: {_MERGE}
          fetch-depth: 0
          persist-credentials: false
@@FETCHED@@
      - name: Remove links where reports are written
        run: find .infra report reports -type l -delete 2> /dev/null || true
"""
# A token of one hour for Terraform, and no file with which code in a plan could make itself more of them.
_AUTH_TOKEN = f"""\
      - uses: {AUTH.reference}
        id: auth
        with:
          workload_identity_provider: {PROVIDER}
          service_account: ${{{{ steps.account.outputs.account }}}}
          token_format: access_token
          create_credentials_file: false
"""
# The credentials file, so that an apply of more than an hour gets new tokens.
_AUTH_FILE = f"""\
      - uses: {AUTH.reference}
        with:
          workload_identity_provider: {PROVIDER}
          service_account: ${{{{ steps.account.outputs.account }}}}
"""
# How a step commits and pushes with its GITHUB_TOKEN.
_GIT_PUSH_ENV = """\
          GIT_AUTHOR_NAME: github-actions[bot]
          GIT_AUTHOR_EMAIL: 41898282+github-actions[bot]@users.noreply.github.com
          GIT_COMMITTER_NAME: github-actions[bot]
          GIT_COMMITTER_EMAIL: 41898282+github-actions[bot]@users.noreply.github.com
          # For a push; the token is in no file.
          GIT_CONFIG_COUNT: "1"
          GIT_CONFIG_KEY_0: credential.helper
          GIT_CONFIG_VALUE_0: '!f() { echo username=x-access-token; echo "password=$GITHUB_TOKEN"; }; f'
"""
# What a job of several says besides: which part is its own.
_SHARD = "          SHARD: ${{ matrix.shard }}\n"
_PART = ' --shard "$SHARD"'
_NUMBER = ".${{ strategy.job-index }}"
# What runs for a pull request: one of this repository that is to be merged into trunk, its place in the merge
# queue, or a run that was started by hand on the pull request's own branch. Rules come from what a change is
# merged into, so a pull request into a branch of its author's gets nothing; and what runs on trunk's ref
# counts as trunk for Google and for caches, so no pull request is planned there.
_REVIEWED = """\
github.event_name == 'pull_request' && github.event.pull_request.base.ref == '@@TRUNK@@'
      && github.event.pull_request.head.repo.full_name == github.repository
      || github.event_name == 'merge_group' && github.event.merge_group.base_ref == 'refs/heads/@@TRUNK@@'
      || github.event_name == 'workflow_dispatch' && inputs.pull_request != ''
      && github.ref != 'refs/heads/@@TRUNK@@'"""
_IF_REVIEWED = f"""\
    if: >-
      ${{{{ !cancelled() && ({_REVIEWED}) }}}}
"""
_IF_PLANNED = f"""\
    if: >-
      ${{{{ !cancelled() && inputs.compare != 'true' && ({_REVIEWED}) }}}}
"""
_INFRACOST = "0.10.45"
_COST_KEY = "INFRACOST_API_KEY"
# Variables of the steps that the templates set themselves.
_SET_BY_JOBS = ("GITHUB_TOKEN", "GOOGLE_OAUTH_ACCESS_TOKEN", "INFRA_TEAMS_TOKEN")
_BASE = "${{ github.event.pull_request.base.sha || 'origin/@@TRUNK@@' }}"
_BLOCKS = {
    "IF_REVIEWED": _IF_REVIEWED,
    "IF_PLANNED": _IF_PLANNED,
    "CHECKOUT": _CHECKOUT,
    "CHECKOUT_HEAD": _CHECKOUT_HEAD,
    "AUTH_TOKEN": _AUTH_TOKEN,
    "AUTH_FILE": _AUTH_FILE,
    "GIT_PUSH_ENV": _GIT_PUSH_ENV,
}


def render(target: WorkflowTarget, source: Source) -> Mapping[str, str]:
    """Renders the workflow files, path from the repository's root → content.

    `source` is where the jobs install infra from.
    """
    words = {
        "BASE": _BASE,
        "REPOSITORY": target.repository,
        "TRUNK": target.trunk,
        "UPLOAD": UPLOAD.pin,
        "DOWNLOAD": DOWNLOAD.pin,
        "UPLOAD_SARIF": UPLOAD_SARIF.pin,
        "AUTH_ACTION": AUTH.reference,
        "DEPLOY_PAGES": DEPLOY_PAGES.reference,
        "PORTAL": target.portal or "",
        "CHECKOUT_PIN": CHECKOUT.pin,
        "REPORT_JOB": ", report" if target.reports else "",
        "PLAN_JOBS": ", ".join(f"plan-{name}" for name in target.environments),
        "CHECK_JOBS": ", ".join(f"check-{name}" for name in target.environments),
    }
    apply_blocks, apply_words = _sharded(target.shards)
    drift_blocks, drift_words = _sharded(target.drift_shards)

    def each(name: str, more: Mapping[str, str] | None = None) -> str:
        """A template once for each environment, one after the other."""
        return "".join(
            _filled(
                _template(name),
                {**words, "ENV": environment, **(more or {})},
                {
                    "AFTER": _after(target, index),
                    **_notify_block(target),
                    **apply_blocks,
                    **_variable_blocks(target, environment),
                },
            )
            for index, environment in enumerate(target.environments)
        )

    parts = {
        "plan": {
            "PLANS": each("plan-call"),
            "REPORT_CALL": _template("report-call") if target.reports else "",
        },
        "affected": {
            **_report_blocks(target),
            "OUTPUTS": _outputs(target, "value", "jobs.affected.outputs", "      "),
            "JOB_OUTPUTS": _outputs(target, "", "steps.affected.outputs", "      "),
        },
        "apply": {"ENVIRONMENTS": each("apply-environment", apply_words)},
        "drift": {"CHECKS": each("drift-call"), **_notify_block(target)},
    }
    files = {
        name: _filled(_template(name), words, parts.get(name, {}))
        for name in ("plan", "affected", "attest", "apply", "chat", "drift")
    }
    for environment in target.environments:
        own, variable_blocks = {**words, "ENV": environment}, _variable_blocks(target, environment)
        files[f"plan-{environment}"] = _filled(
            _template("plan-environment"), own, variable_blocks | _cost_blocks(target)
        )
        files[f"drift-{environment}"] = _filled(
            _template("drift-environment"), own | drift_words, drift_blocks | variable_blocks
        )
    if target.reports:
        files["report"] = _filled(_template("report"), words, {})
    if target.rehearse:
        files["rehearse"] = _filled(_template("rehearse"), words, {})
    if target.sarif:
        files["code-scanning"] = _filled(_template("code-scanning"), words, {})
    if target.self_service:
        files["new"] = _filled(_template("new"), words, {})
    if target.portal:
        files["portal"] = _filled(_template("portal"), words, _portal_blocks(target.portal))
    return {
        f"{FOLDER}/infra-{name}.yml": _with_installs(_with_fetched(text, target), source, target)
        for name, text in files.items()
    }


def portal_host(text: str) -> PortalHost | None:
    """Where the portal of a workflow that was written goes; None for any other text."""
    first = text.partition("\n")[0]
    hosts: tuple[PortalHost, ...] = get_args(PortalHost)
    return next((host for host in hosts if first == f"# Portal: {host}"), None)


def _portal_blocks(host: PortalHost) -> dict[str, str]:
    """What the portal's workflow has for the place where its pages go.

    What has to be private is asked before anything is read, of a bucket as soon as there is an account.
    """
    return {
        "PORTAL_PERMISSIONS": "      pages: write\n" if host == "pages" else "",
        "PORTAL_CHECK": "" if host == "gcs" else _template(f"portal-{host}-check"),
        "PORTAL_PUBLISH": _template(f"portal-{host}"),
    }


def _report_blocks(target: WorkflowTarget) -> dict[str, str]:
    """What the workflow that finds what is affected has for report hooks."""
    if not target.reports:
        return {"REPORT_OUTPUT": "", "REPORT_JOB_OUTPUT": "", "REPORT_PACK": ""}
    return {
        "REPORT_OUTPUT": "      reports:\n        value: ${{ jobs.affected.outputs.reports }}\n",
        "REPORT_JOB_OUTPUT": "      reports: ${{ steps.report.outputs.reports }}\n",
        "REPORT_PACK": _template("report-pack"),
    }


def _variable_blocks(target: WorkflowTarget, environment: str) -> dict[str, str]:
    """How the secrets and variables of an environment reach the step that runs Terraform and hooks."""
    names = [name for name in target.job_variables.get(environment, ()) if name not in _SET_BY_JOBS]
    values = [f"{name}: ${{{{ secrets.{name} || vars.{name} }}}}\n" for name in names]
    declared = [
        f"      {name}:\n        description: For Terraform or hooks.\n        required: false\n"
        for name in names
    ]
    passed = "".join(f"      {value}" for value in values)
    cost = f"      {_COST_KEY}: ${{{{ secrets.{_COST_KEY} }}}}\n" if target.estimates_cost else ""
    return {
        "JOB_ENV": "".join(f"          {value}" for value in values),
        "JOB_SECRETS": "".join(declared),
        "DRIFT_SECRETS": "".join(["    secrets:\n", *declared]) if names else "",
        "MORE_SECRETS": passed,
        "PASSED_SECRETS": f"    secrets:\n{passed}" if names else "",
        "PLAN_SECRETS": f"    secrets:\n{passed}{cost}" if names or cost else "",
    }


def _notify_block(target: WorkflowTarget) -> dict[str, str]:
    """How the secrets of messages reach the steps that send them: those that write on GitHub."""
    lines = [f"          {name}: ${{{{ secrets.{name} }}}}\n" for name in target.notify_variables]
    return {"NOTIFY_ENV": "".join(lines)}


def _cost_blocks(target: WorkflowTarget) -> dict[str, str]:
    """The step that sets infracost up for the job that plans, and how its key reaches the plans.

    The key is not given to the step, which would write it where Terraform could read it.
    """
    if not target.estimates_cost:
        return {"SETUP_COST": "", "COST_ENV": "", "COST_SECRETS": ""}
    return {
        "SETUP_COST": (
            f"      - uses: {SETUP_INFRACOST.reference}\n        with:\n          version: {_INFRACOST}\n"
        ),
        "COST_ENV": f"          {_COST_KEY}: ${{{{ secrets.{_COST_KEY} }}}}\n",
        "COST_SECRETS": f"      {_COST_KEY}:\n        description: For infracost.\n        required: false\n",
    }


def plan_workflow(environment: str) -> str:
    """The name of the file that plans an environment."""
    return f"infra-plan-{environment}.yml"


def drift_workflow(environment: str) -> str:
    """The name of the file that checks an environment for drift."""
    return f"infra-drift-{environment}.yml"


def _outputs(target: WorkflowTarget, key: str, source: str, indent: str) -> str:
    """The outputs of the workflow, or of the job, that finds what is affected: one for each environment."""
    lines = []
    for name in target.environments:
        value = f"${{{{ {source}.{SHARDS}{name} }}}}"
        if key:
            lines += [f"{indent}{SHARDS}{name}:\n", f"{indent}  {key}: {value}\n"]
        else:
            lines.append(f"{indent}{SHARDS}{name}: {value}\n")
    return "".join(lines)


def _with_fetched(text: str, target: WorkflowTarget) -> str:
    """The inputs of the checkout for submodules and Git LFS, where the repository has any."""
    inputs = {"submodules": target.submodules, "lfs": target.lfs}
    lines = "".join(f"          {name}: true\n" for name, is_used in inputs.items() if is_used)
    return text.replace("@@FETCHED@@\n", lines)


def _with_installs(text: str, source: Source, target: WorkflowTarget) -> str:
    """The steps that install infra, with Terraform and Rego only where a job runs Terraform.

    The pins are long: in a file with several such jobs they are written once and repeated by a YAML anchor.
    """
    terraform: InstallParts = "embedded" if target.install == "embedded" else "own"
    setup = _setup_step(target) if target.install == "setup" else ""
    blocks: tuple[tuple[str, InstallParts, str], ...] = (
        ("INSTALL", "none", ""),
        ("INSTALL_TERRAFORM", terraform, setup),
        ("INSTALL_SANDBOX", "sandbox", ""),
    )
    for block, parts, after in blocks:
        has_telemetry = target.sends_telemetry and block == "INSTALL_TERRAFORM"
        step, anchor = (
            render_install_step(source, parts, has_telemetry=has_telemetry),
            block.lower().replace("_", "-"),
        )
        marker = f"@@{block}@@\n"
        if isinstance(source, ActionSource) or text.count(marker) == 1:
            text = text.replace(marker, step + after)
            continue
        anchored = step.replace("      - ", f"      - &{anchor}\n        ", 1)
        text = text.replace(marker, anchored + after, 1).replace(marker, f"      - *{anchor}\n{after}")
    return text


def _setup_step(target: WorkflowTarget) -> str:
    """The step that sets Terraform, or OpenTofu, up before the checkout; without its wrapper, which loses
    exit codes and signals."""
    is_tofu = target.product == "tofu"
    action, word = (SETUP_OPENTOFU, "tofu") if is_tofu else (SETUP_TERRAFORM, "terraform")
    version = f'          {word}_version: "{target.version}"\n' if target.version else ""
    return f"      - uses: {action.reference}\n        with:\n{version}          {word}_wrapper: false\n"


def _sharded(count: int) -> tuple[dict[str, str], dict[str, str]]:
    """The blocks and the words that turn one job into a matrix of several."""
    if count == 1:
        words = {"PART": "", "NUMBER": "", "EACH": "", "SHARD_NAME": "1/1"}
        return {"SHARDS": "", "SHARD": ""}, words
    matrix = f"    strategy:\n      fail-fast: false\n      matrix:\n{_shard_list(count)}"
    words = {"PART": _PART, "NUMBER": _NUMBER, "EACH": ".*", "SHARD_NAME": "${{ matrix.shard }}"}
    return {"SHARDS": matrix, "SHARD": _SHARD}, words


def _shard_list(count: int) -> str:
    names = ", ".join(f'"{number}/{count}"' for number in range(1, count + 1))
    return f"        shard: [{names}]\n"


def _after(target: WorkflowTarget, index: int) -> str:
    """The condition of an environment's jobs: the first runs at once, others once the one before is done."""
    name = target.environments[index]
    if index == 0:
        is_requested = f"inputs.environment == '' || inputs.environment == '{name}'"
        return f"    if: ${{{{ inputs.unlock == '' && inputs.drift == '' && ({is_requested}) }}}}\n"
    before = target.environments[index - 1]
    done = f"needs.plan-{before}.outputs.pending == '0' && needs.plan-{before}.outputs.checks_due != 'true'"
    nothing = f"needs.plan-{before}.result == 'success' && {done}"
    return (
        f"    needs: [plan-{before}, apply-{before}]\n"
        "    if: >-\n"
        "      ${{ !cancelled() && inputs.unlock == '' && inputs.drift == ''\n"
        f"      && (inputs.environment == '{name}'\n"
        "      || (inputs.environment == ''\n"
        f"      && (needs.apply-{before}.result == 'success' || ({nothing})))) }}}}\n"
    )


def _template(name: str) -> str:
    return (Path(__file__).parent / f"{name}.yml").read_text(encoding="utf-8")


def _filled(text: str, words: Mapping[str, str], blocks: Mapping[str, str]) -> str:
    """A template with its blocks (whole lines) and then its words filled in."""
    for name, block in {**_BLOCKS, **blocks}.items():
        text = text.replace(f"@@{name}@@\n", block)
    for name, word in words.items():
        text = text.replace(f"@@{name}@@", word)
    return text
