"""The workflows that ship, as templates beside this file: `render` fills them in for one repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.ci.installing import install_step
from orchestrator.ci.shards import OUTPUT as SHARDS
from orchestrator.ci.source import ActionSource, Source

FOLDER = ".github/workflows"
# Actions by commit: a tag can be moved to another commit by whoever takes the action's repository over.
CHECKOUT = "08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0"
UPLOAD = "ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2"
DOWNLOAD = "d3f86a106a0bac45b974a628896c90dbdf5c8093 # v4.3.0"
AUTH = "7c6bc770dae815cd3e89ee6cdf493a5fab2cc093 # v3.0.0"
# The variable that `infra bootstrap` says how to set.
PROVIDER = "${{ vars.INFRA_WORKLOAD_IDENTITY_PROVIDER }}"

_CHECKOUT = f"""\
      - uses: actions/checkout@{CHECKOUT}
        with:
          fetch-depth: 0
          persist-credentials: false
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
      - uses: actions/checkout@{CHECKOUT}
        with:
          ref: {_MERGE}
          fetch-depth: 0
          persist-credentials: false
      - name: Remove links where reports are written
        run: find .infra report reports -type l -delete 2> /dev/null || true
"""
# A token of one hour for Terraform, and no file with which code in a plan could make itself more of them.
_AUTH_TOKEN = f"""\
      - uses: google-github-actions/auth@{AUTH}
        id: auth
        with:
          workload_identity_provider: {PROVIDER}
          service_account: ${{{{ steps.account.outputs.account }}}}
          token_format: access_token
          create_credentials_file: false
"""
# The credentials file, so that an apply of more than an hour gets new tokens.
_AUTH_FILE = f"""\
      - uses: google-github-actions/auth@{AUTH}
        with:
          workload_identity_provider: {PROVIDER}
          service_account: ${{{{ steps.account.outputs.account }}}}
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
_BASE = "${{ github.event.pull_request.base.sha || 'origin/@@TRUNK@@' }}"
_BLOCKS = {
    "IF_REVIEWED": _IF_REVIEWED,
    "IF_PLANNED": _IF_PLANNED,
    "CHECKOUT": _CHECKOUT,
    "CHECKOUT_HEAD": _CHECKOUT_HEAD,
    "AUTH_TOKEN": _AUTH_TOKEN,
    "AUTH_FILE": _AUTH_FILE,
}


@dataclass(frozen=True)
class Target:
    """Whom the workflows are for: `OWNER/NAME`, its trunk, and its environments in promotion order.

    `shards` is how many jobs apply an environment side by side, `drift_shards` how many check it for drift.
    """

    repository: str
    trunk: str
    environments: Sequence[str]
    shards: int = 1
    drift_shards: int = 1


def render(target: Target, source: Source) -> Mapping[str, str]:
    """The workflows' files, path from the repository's root → content; `source` is where infra comes from."""
    words = {
        "BASE": _BASE,
        "REPOSITORY": target.repository,
        "TRUNK": target.trunk,
        "UPLOAD": UPLOAD,
        "DOWNLOAD": DOWNLOAD,
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
                {"AFTER": _after(target, index), **apply_blocks},
            )
            for index, environment in enumerate(target.environments)
        )

    parts = {
        "plan": {"PLANS": each("plan-call")},
        "affected": {
            "OUTPUTS": _outputs(target, "value", "jobs.affected.outputs", "      "),
            "JOB_OUTPUTS": _outputs(target, "", "steps.affected.outputs", "      "),
        },
        "apply": {"ENVIRONMENTS": each("apply-environment", apply_words)},
        "drift": {"CHECKS": each("drift-call")},
    }
    files = {
        name: _filled(_template(name), words, parts.get(name, {}))
        for name in ("plan", "affected", "attest", "apply", "chat", "drift")
    }
    for environment in target.environments:
        own = {**words, "ENV": environment}
        files[f"plan-{environment}"] = _filled(_template("plan-environment"), own, {})
        files[f"drift-{environment}"] = _filled(
            _template("drift-environment"), own | drift_words, drift_blocks
        )
    return {f"{FOLDER}/infra-{name}.yml": _with_installs(text, source) for name, text in files.items()}


def plan_workflow(environment: str) -> str:
    """The name of the file that plans an environment."""
    return f"infra-plan-{environment}.yml"


def drift_workflow(environment: str) -> str:
    """The name of the file that checks an environment for drift."""
    return f"infra-drift-{environment}.yml"


def _outputs(target: Target, key: str, source: str, indent: str) -> str:
    """The outputs of the workflow, or of the job, that finds what is affected: one for each environment."""
    lines = []
    for name in target.environments:
        value = f"${{{{ {source}.{SHARDS}{name} }}}}"
        if key:
            lines += [f"{indent}{SHARDS}{name}:\n", f"{indent}  {key}: {value}\n"]
        else:
            lines.append(f"{indent}{SHARDS}{name}: {value}\n")
    return "".join(lines)


def _with_installs(text: str, source: Source) -> str:
    """The steps that install infra, with Terraform and Rego only where a job runs Terraform.

    The pins are long: in a file with several such jobs they are written once and repeated by a YAML anchor.
    """
    for block, terraform in (("INSTALL", False), ("INSTALL_TERRAFORM", True)):
        step, anchor = install_step(source, terraform=terraform), block.lower().replace("_", "-")
        marker = f"@@{block}@@\n"
        if isinstance(source, ActionSource) or text.count(marker) == 1:
            text = text.replace(marker, step)
            continue
        anchored = step.replace("      - ", f"      - &{anchor}\n        ", 1)
        text = text.replace(marker, anchored, 1).replace(marker, f"      - *{anchor}\n")
    return text


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


def _after(target: Target, place: int) -> str:
    """When an environment's turn comes: at once for the first, for others when the one before is done."""
    name = target.environments[place]
    if place == 0:
        asked = f"inputs.environment == '' || inputs.environment == '{name}'"
        return f"    if: ${{{{ inputs.unlock == '' && inputs.drift == '' && ({asked}) }}}}\n"
    before = target.environments[place - 1]
    done = f"needs.plan-{before}.outputs.owed == '0' && needs.plan-{before}.outputs.checks_due != 'true'"
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
