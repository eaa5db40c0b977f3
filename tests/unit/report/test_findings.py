"""Findings of the linter as text, SARIF and annotations; a bootstrap's outputs as what to do in GitHub."""

from __future__ import annotations

import json

from orchestrator.forge.github import setup_text as github_setup
from orchestrator.forge.github import workflow_commands as annotate
from orchestrator.report import findings, sarif
from orchestrator.report.findings import LintReport
from orchestrator.repository.model import Finding

REPORT = LintReport(
    (
        Finding("error", "public-principal", "allUsers is anybody.", "Name them.", "infra/a b.tf", 3),
        Finding("warning", "tflint:unused", "x | y", "", "infra/c.tf", 1),
        Finding("info", "module-unused", "No stack calls it.", "", None, None),
    ),
    ((Finding("error", "basic-role", "m", "", "d.tf", 9), "It reads."),),
    ("tflint",),
)
OUTPUTS = {
    "workload_identity_provider": "projects/1/providers/github",
    "accounts": {
        "prod": {"apply": "pa@x", "drift": "pd@x", "plan": "pp@x"},
        "dev": {"apply": "da@x", "drift": "dd@x", "plan": "dp@x"},
    },
}


def test_each_finding_has_its_location_its_rule_and_the_fix() -> None:
    assert list(findings.render_lines(REPORT)) == [
        "error infra/a b.tf:3: allUsers is anybody.  [public-principal]",
        "  Name them.",
        "warning infra/c.tf:1: x | y  [tflint:unused]",
        "info No stack calls it.  [module-unused]",
        "1 error, 1 warning, 1 note; 1 accepted in infra.yaml; with tflint.",
    ]
    assert "| warning | infra/c.tf:1 | x \\| y | `tflint:unused` |" in findings.render_markdown(REPORT)


def test_sarif_names_rules_locations_and_what_was_accepted() -> None:
    (run,) = json.loads(sarif.render(REPORT))["runs"]

    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [
        result["ruleId"] for result in run["results"]
    ]
    first, _, third, accepted = run["results"]
    assert first["level"] == "error"
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "infra/a%20b.tf", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 3},
    }
    assert "suppressions" not in first
    assert third["level"] == "note"
    assert third["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "infra.yaml"
    assert accepted["suppressions"][0]["justification"] == "It reads."


def test_sarif_has_what_code_scanning_wants() -> None:
    """GitHub's page "SARIF support for code scanning": texts of rules, a location in each result."""
    document = json.loads(sarif.render(REPORT))
    assert (document["version"], document["$schema"].rsplit("/", 1)[1]) == ("2.1.0", "sarif-2.1.0.json")
    (run,) = document["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]
    assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"]) <= 25_000
    for rule in driver["rules"]:
        for key in ("shortDescription", "fullDescription", "help"):
            assert 0 < len(rule[key]["text"]) <= 1_024, (rule["id"], key)
        assert len(rule["name"]) <= 255
        assert rule["defaultConfiguration"]["level"] in ("note", "warning", "error")
    for result in run["results"]:
        assert result["message"]["text"]
        (location,) = result["locations"]
        physical_location = location["physicalLocation"]
        assert not physical_location["artifactLocation"]["uri"].startswith(("/", ".."))
        assert physical_location["region"]["startLine"] >= 1
    by_id = {rule["id"]: rule for rule in driver["rules"]}
    assert by_id["public-principal"]["help"]["text"] == "Name them."
    assert by_id["public-principal"]["shortDescription"]["text"] == "Public principal"


def test_sarif_has_no_more_results_than_code_scanning_takes() -> None:
    """25,000 in a run; of more than these the whole document would be refused."""
    notes = (Finding("info", "module-unused", "No stack calls it.", "", None, None),) * 25_000
    (run,) = json.loads(sarif.render(LintReport((*notes, *REPORT.findings), REPORT.accepted)))["runs"]

    assert len(run["results"]) == 25_000
    assert [result["level"] for result in run["results"][:3]] == ["error", "warning", "note"]
    (invocation,) = run["invocations"]
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["message"]["text"].startswith("4 findings are left out")
    (small_run,) = json.loads(sarif.render(REPORT))["runs"]
    assert "invocations" not in small_run


def test_sarif_takes_a_rule_with_a_long_name() -> None:
    """A policy gives its rules their names."""
    finding = Finding("error", "policy:" + "n" * 2_000, "m", "", None, None)
    (run,) = json.loads(sarif.render(LintReport((finding,))))["runs"]

    (rule,) = run["tool"]["driver"]["rules"]
    assert len(rule["name"]) <= 255
    assert max(len(rule[key]["text"]) for key in ("shortDescription", "fullDescription", "help")) <= 1_024


def test_annotations_have_github_s_levels() -> None:
    levels = [line.split()[0] for line in annotate.render_findings(REPORT.findings)]

    assert levels == ["::error", "::warning", "::notice"]


def test_warnings_fail_only_when_they_are_to() -> None:
    mild = LintReport(REPORT.findings[1:])

    assert (REPORT.exit_code(strict=False), mild.exit_code(strict=False), mild.exit_code(strict=True)) == (
        1,
        0,
        1,
    )


def test_github_gets_a_variable_and_environments_that_only_trunk_deploys_to() -> None:
    text = "\n".join(github_setup.render_setup(OUTPUTS, "trunk", ["dev", "prod"]))

    assert "--body 'projects/1/providers/github'" in text
    assert text.index("environments/dev'") < text.index("environments/prod'")
    assert text.count("-f name=trunk") == 2


def test_accounts_for_a_file_that_cannot_be_edited_are_printed() -> None:
    text = "\n".join(github_setup.render_accounts(OUTPUTS, ["dev", "prod"]))

    assert (
        "    dev:\n      accounts:\n        apply: da@x\n        drift: dd@x\n        plan: dp@x\n    prod:"
        in text
    )
    assert list(github_setup.render_accounts({})) == []


def test_only_gates_that_there_are_to_be_are_named() -> None:
    text = "\n".join(github_setup.render_setup(OUTPUTS, "trunk", ["dev", "prod"], ["prod"]))

    assert "New environment → prod-approval → Required reviewers" in text
    assert "`infra ci approve prod`" in text
    assert "dev-approval" not in text
    assert "approval" not in "\n".join(github_setup.render_setup(OUTPUTS, "trunk", ["dev", "prod"]))


def test_other_repositories_in_the_bucket_get_theirs() -> None:
    shop = {**OUTPUTS, "workload_identity_provider": "projects/1/providers/shop", "trunk": "master"}
    outputs = {**OUTPUTS, "repositories": {"teams/shop": shop}}
    text = "\n".join(github_setup.render_repositories(outputs, "trunk"))

    assert "memory: {prefix: teams/shop}" in text
    assert "--body 'projects/1/providers/shop'" in text
    assert "-f name=master" in text
    assert "name=trunk" not in text
    assert "        plan: dp@x" in text


def test_outputs_that_are_missing_are_named() -> None:
    (line,) = github_setup.render_setup({}, "main")

    assert "workload_identity_provider" in line
