"""No secret survives in text: by name, by shape, by what a plan's JSON marks; and what is none survives."""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config import Masking
from orchestrator.masking import HIDDEN, NO_SECRETS, Masker, SecretSet

MASKER = Masker()
PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + "\n".join("MIIEowIBAAKCAQEAhunter2" + "x" * 41 for _ in range(3))
    + "\n-----END RSA PRIVATE KEY-----\n"
)
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.aHVudGVyMg-hunter2"

# Each text holds the secret hunter2 in some form; after masking it must not.
HOSTILE = [
    'password = "hunter2"',
    '      ~ password = "hunter2" -> "hunter22"',
    '      ~ password = "hunter2" -> null # forces replacement',
    '+ password = "say \\"hunter2\\" twice"',
    '+ db_password=hunter2',
    '- dbPassword = "hunter2"',
    '  "DB_PASSWORD" = "hunter2"',
    "password: hunter2",
    "  password: 'hunter2'",
    '{"password": "hunter2"}',
    '{"password":"hunter2"}',
    '"{\\"password\\":\\"hunter2\\"}"',
    '"{\\\\\\"password\\\\\\":\\\\\\"hunter2\\\\\\"}"',
    "{ user = \"bob\", password = \"hunter2\" }",
    "export API_KEY=hunter2",
    "export API_KEY='hunter2 and more'",
    "user=bob password=hunter2 host=x",
    "--password hunter2",
    "--db-password=hunter2",
    "curl https://example.com/?user=bob&access_token=hunter2&x=1",
    "postgres://bob:hunter2@db:5432/x",
    "postgres://bob:p@hunter2@db/x",
    "mongodb+srv://:hunter2@db",
    "Authorization: Bearer hunter2hunter2",
    "Authorization: Basic hunter2hunter2=",
    "X-Api-Key: hunter2",
    'var.password is "hunter2"',
    '│     │ var.db.api_key is "hunter2"',
    'local.settings["token"] = "hunter2"',
    "  + secrets = {\n      + a = \"hunter2\"\n    }",
    "  + tokens = [\n      + \"hunter2\",\n    ]",
    "  ~ credentials {\n      ~ inner {\n          ~ a = \"x\" -> \"hunter2\"\n        }\n    }",
    "  + private_key = <<-EOT\n            hunter2\n            EOT\n            hunter2\n        EOT",
    "  + token = jsonencode(\n        {\n          + a = \"hunter2\"\n        }\n    )",
    '  ~ token = "x" -> {\n      + a = "hunter2"\n    }',
    '  + env {\n      + name  = "DB_PASSWORD"\n      + value = "hunter2"\n    }',
    '  ~ env {\n        name  = "API_KEY"\n      ~ value = "a" -> "hunter2"\n    }',
    'args = ["--password", "hunter2"]',
    '  + args = [\n      + "--db-password",\n      + "hunter2",\n    ]',
    '"[\\"--token\\",\\"hunter2\\"]"',
    "args:\n  - --password\n  - hunter2",
    'args:\n  - "--password"\n  - "hunter2"',
    "  + secret_volumes {\n      + secret = \"db\"\n      + token  = \"hunter2\"\n    }",
    "  + ref_block {\n      + secret = \"hunter2\"\n    }",
    'password\ufdd0 = "hunter2"',
    "  + secret_env {\n      + secret = \"db\"\n    }\n  + secret = \"hunter2\"",
    PEM,
    PEM.replace("\n", "\\n"),
    PEM.replace("\n", "\n          + "),
    PEM.rpartition("-----END")[0],
    JWT,
    f'  + x = "{JWT}"',
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_survives_that_a_name_or_a_shape_gives_away(text: str) -> None:
    masked = MASKER.mask_text(f"before\n{text}\nafter is here\n")
    assert "hunter2" not in masked
    assert HIDDEN in masked
    assert masked.startswith("before\n")
    assert masked.endswith("after is here\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_masking_twice_is_masking_once(text: str) -> None:
    once = MASKER.mask_text(text)
    assert MASKER.mask_text(once) == once


SHAPES = [
    "AIza" + "Sy0123456789abcdefghijklmnopqrstuvw"[:35],
    "ya29.a0AfH6SMBx-0123456789_abcdefghij",
    "1//0gabcdefghijklmnopqrstuv",
    "GOCSPX-abcdefghijklmnopqrstuvwx",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "ghp_" + "a1B2" * 9,
    "ghs_" + "a1B2" * 9,
    "github_pat_" + "a1B2c3D4e5" * 5,
    "glpat-abcdefghij0123456789",
    "xoxb-123456789012-abcdefghij",
    JWT,
]


@pytest.mark.parametrize("secret", SHAPES)
@pytest.mark.parametrize(
    "around", ["{}", 'x = "{}"', "see {}.", "https://{}@github.com/a", "[{}]", "a={};b=1"]
)
def test_known_shapes_are_hidden_wherever_they_stand(secret: str, around: str) -> None:
    assert MASKER.mask_text(around.format(secret)) == around.format(HIDDEN).replace(
        f'= "{HIDDEN}"', f"= {HIDDEN}"
    )


ORDINARY_TEXTS = [
    "Terraform will perform the following actions:",
    '      + secret_id = "db-password"',
    '      ~ secret_name = "a" -> "b"',
    '  + secret_key_ref {\n      + secret  = "db-password"\n      + version = "latest"\n    }',
    '  + secret_environment_variables {\n      + key    = "DB_PASSWORD"\n      + secret = "db"\n    }',
    '      + command = ["serve", "--token", "--verbose"]',
    '  # google_secret_manager_secret.api_token will be created',
    '  + resource "google_secret_manager_secret" "password" {',
    "      + password = (known after apply)",
    "      + password = (sensitive value)",
    "      + password_wo         = (write-only attribute)",
    "      + secret_data_wo      = (sensitive, write-only attribute)",
    "      ~ password_wo_version = 1 -> 2",
    "      ~ use_token = true -> false",
    "      + token = null",
    "      + tokens = []",
    '      + key = "value"',
    '      + keyring = "ring"',
    '      + monkey = "value"',
    '      + tokenizer_kind = "x"',
    "Error: Invalid token: unexpected end of the line",
    "The secret: it was never there",
    "  password = var.password",
    "  token = google_service_account_key.main.private",
    '  value = data.google_secret_manager_secret_version.db.secret_data',
    'if var.token == "" then',
    "Plan: 1 to add, 2 to change, 3 to destroy.",
    "https://registry.terraform.io/providers/hashicorp/google/latest/docs#password",
    "git::https://example.com:443/mod.git?ref=v1@x",
    "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----",
    "eyes.only.please",
    "on main.tf line 3, in variable \"password\":",
]  # fmt: skip


@pytest.mark.parametrize("text", ORDINARY_TEXTS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert MASKER.mask_text(text) == text


def test_a_folded_secret_leaves_the_lines_around_it() -> None:
    text = (
        '  + resource "x" "y" {\n'
        '      + a       = "1"\n'
        "      + secrets = {\n"
        '          + b = "2"\n'
        "\n"
        "          + c = [\n"
        '              + "3",\n'
        "            ]\n"
        "        }\n"
        '      + z       = "4"\n'
        "    }\n"
    )
    assert MASKER.mask_text(text) == (
        '  + resource "x" "y" {\n'
        '      + a       = "1"\n'
        "      + secrets = (sensitive value)\n"
        '      + z       = "4"\n'
        "    }\n"
    )


def test_known_secrets_go_in_every_form() -> None:
    secret = 'pa"ss\\<w&ör>d\tline'
    secrets = SecretSet.of([secret])
    encoded = base64.b64encode(secret.encode()).decode()
    for text in (
        secret,
        json.dumps(secret),
        json.dumps(json.dumps({"a": secret})),
        json.dumps(secret, ensure_ascii=False),
        json.dumps(secret, ensure_ascii=False)
        .replace("<", "\\u003c")
        .replace("&", "\\u0026")
        .replace(">", "\\u003e"),
        f"data={encoded}",
        encoded.rstrip("="),
        "https://x/?q=pa%22ss%5C%3Cw%26%C3%B6r%3Ed%09line",
    ):
        masked = MASKER.mask_text(f"see <{text}> there", secrets)
        assert HIDDEN in masked
        assert "ss" not in masked.replace(HIDDEN, ""), text


@pytest.mark.parametrize("before", ["", "u", "us", "user"])
@pytest.mark.parametrize("after", ["", "@", "@h", "@host"])
def test_known_secrets_go_from_the_middle_of_something_encoded(before: str, after: str) -> None:
    secret = "hunter2-of-bob?>"
    secrets = SecretSet.of([secret])
    whole = f"{before}{secret}{after}".encode()
    for encoded in (base64.b64encode(whole).decode(), base64.urlsafe_b64encode(whole).decode()):
        masked = MASKER.mask_text(f"v = {encoded}", secrets).removeprefix("v = ")
        assert HIDDEN in masked
        assert len(masked.replace(HIDDEN, "")) <= len(base64.b64encode(f"{before}{after}".encode())) + 4


def test_known_secrets_go_in_capitals_too() -> None:
    secrets = SecretSet.of(["Hunter2-of-bob"])
    assert MASKER.mask_text("HUNTER2-OF-BOB hunter2-of-bob", secrets) == f"{HIDDEN} {HIDDEN}"


def test_a_sentence_of_ours_keeps_its_names() -> None:
    sentence = "sets access_token: who it is; source git::https://u:pw@h/x and v=hunter2"
    masked = MASKER.mask_quotes(sentence, SecretSet.of(["hunter2"]))
    assert masked == f"sets access_token: who it is; source git::https://u:{HIDDEN}@h/x and v={HIDDEN}"


def test_a_value_of_several_lines_goes_line_by_line() -> None:
    secrets = SecretSet.of(["first line\n  second one\nab\n"])
    text = "- first line\n+ x\n    second one # here\n  ab\n"
    assert MASKER.mask_text(text, secrets) == f"- {HIDDEN}\n+ x\n    {HIDDEN} # here\n  ab\n"


def test_overlapping_secrets_leave_no_rest() -> None:
    secrets = SecretSet.of(["xabcd-1", "abcd-1-very-long", "long-tail"])
    assert MASKER.mask_text("(xabcd-1-very-long-tail)", secrets) == f"({HIDDEN})"


def test_short_and_common_values_do_not_destroy_a_text() -> None:
    secrets = SecretSet.of(["a", "", "true", "prod", "1", "8080", "====", "none", "abcd"])
    text = "a plan for prod: true 1 ==== at 8080, abcde"
    assert MASKER.mask_text(text, secrets) == text
    assert MASKER.mask_text("x abcd y", secrets) == f"x {HIDDEN} y"


def test_short_values_go_where_the_plan_has_them() -> None:
    plan = {
        "resource_changes": [
            {
                "address": "a.b",
                "change": {
                    "before": {"pin": "12", "list": ["q", "r"], "zone": "12"},
                    "after": {"pin": "true", "list": ["s"], "zone": "12", "text": "ab\ncd\n"},
                    "before_sensitive": {"pin": True, "list": True},
                    "after_sensitive": {"pin": True, "list": True, "text": True},
                },
            }
        ]
    }
    secrets = MASKER.secrets_of(plan)
    text = (
        '      ~ pin  = "12" -> "true"\n      ~ list = [\n          - "q",\n          + "s",\n        ]\n'
        '        zone = "12"\n        on   = "true"\n'
        "      + text = <<-EOT\n            ab\n            xy\n        EOT\n"
    )
    masked = MASKER.mask_text(text, secrets)
    assert masked == (
        f"      ~ pin  = {HIDDEN} -> {HIDDEN}\n      ~ list = [\n"
        f"          - {HIDDEN},\n          + {HIDDEN},\n"
        '        ]\n        zone = "12"\n        on   = "true"\n      + text = <<-EOT\n'
        f"            {HIDDEN}\n            xy\n        EOT\n"
    )


def test_words_of_the_plan_itself_stay_readable() -> None:
    plan = {
        "resource_changes": [
            {
                "address": "google_compute_network.backbone",
                "change": {
                    "before": None,
                    "after": {"description": "backbone", "password": "description"},
                    "after_sensitive": {"description": True},
                },
            }
        ]
    }
    text = (
        "  # google_compute_network.backbone\n"
        '      + description = "backbone"\n      + password = "description"\n'
    )
    assert MASKER.mask_text(text, MASKER.secrets_of(plan)) == (
        f"  # google_compute_network.backbone\n      + description = {HIDDEN}\n      + password = {HIDDEN}\n"
    )


def keyed(key: str, **after: object) -> dict[str, object]:
    """A plan with one resource whose instance key is also a sensitive value of it."""
    quoted = json.dumps(key)
    return {
        "resource_changes": [
            {
                "address": f"module.m[{quoted}].a.b[{quoted}]",
                "previous_address": f"a.b[{quoted}]",
                "change": {
                    "before": None,
                    "after": {"input": key, **after},
                    "after_sensitive": {"input": True},
                },
            }
        ]
    }


@pytest.mark.parametrize("key", ["s3cr3t-CANARY", "s3cr3t", 'a "quoted" s3cr3t', "s3cr3t CANARY x"])
def test_a_secret_instance_key_is_read_in_addresses_only(key: str) -> None:
    quoted = json.dumps(key)
    secrets = MASKER.secrets_of(keyed(key))
    readable = (
        f"  # module.m[{quoted}].a.b[{quoted}] will be created\n"
        f"  # (moved from a.b[{quoted}])\n"
        f"Error in module.m[{quoted}].\n"
    )
    hidden = f'  + o = {quoted}\n  + other.thing[{quoted}]\n  + json = "{{x: {key}}}"\n  and {key} there\n'
    masked = MASKER.mask_text(readable + hidden, secrets)
    assert masked.startswith(readable)
    assert key not in masked.removeprefix(readable)
    assert quoted not in masked.removeprefix(readable)


def test_addresses_with_many_keys_are_searched_in_linear_time() -> None:
    secrets = MASKER.secrets_of(keyed("s3cr3t-CANARY"))
    begun = time.process_time()
    for text in ('a["' * 100_000, "a." * 200_000, 'a["b"]' * 50_000, "s3cr3t-CANARY " * 30_000):
        secrets.hide(text)
    assert time.process_time() - begun < 5


def test_extra_rules() -> None:
    rules = Masking(("license_key", "pin"), ("google_x.*.boot", "*.deep.*"), (r"ACME-\d+",))
    masker = Masker(rules)
    assert masker.mask_text('licenseKey = "abc"\nPIN=12\nsee ACME-123') == (
        f"licenseKey = {HIDDEN}\nPIN={HIDDEN}\nsee {HIDDEN}"
    )
    value = {"boot": "x", "b": {"deep": {"z": "y"}}, "c": "d"}
    masked = masker.mask_value(value, None, ("google_x.a",))
    assert masked == {"boot": HIDDEN, "b": {"deep": {"z": HIDDEN}}, "c": "d"}


def test_a_pattern_takes_no_longer_than_the_text() -> None:
    """`re` would not end on any of these."""
    masker = Masker(Masking(patterns=(r"(a+)+b", r"(x|x)*y", r".*a.*a.*a.*c")))
    text = "a" * 20_000 + "\n" + "x" * 20_000
    assert masker.mask_text(text) == text
    assert masker.mask_text("aab") == HIDDEN


def test_an_attribute_is_named_by_the_key_of_its_instance() -> None:
    masker = Masker(Masking(attributes=('random_string.x["a"].result',)))
    assert masker.mask_value({"result": "v"}, None, ('random_string.x["a"]',)) == {"result": HIDDEN}
    assert masker.mask_value({"result": "v"}, None, ("random_string.xa",)) == {"result": "v"}


def test_a_diagnostic_s_parts() -> None:
    diagnostic = {
        "severity": "error",
        "summary": "Invalid value for variable",
        "detail": "The password hunter2 is weak.",
        "range": {"filename": "main.tf", "start": {"line": 3}},
        "snippet": {
            "code": 'password = "hunter2x"',
            "values": [{"traversal": "var.password", "statement": 'is "abc"'}],
        },
    }
    masked = MASKER.mask_json(diagnostic, SecretSet.of(["hunter2"]))
    assert masked["detail"] == f"The password {HIDDEN} is weak."
    assert masked["snippet"]["code"] == f"password = {HIDDEN}"
    assert "abc" not in masked["snippet"]["values"][0]["statement"]
    assert masked["range"] == diagnostic["range"]


ARGV = [
    (["-var=password=hunter2"], ["-var=password=" + HIDDEN]),
    (["-var", "password=hunter2"], ["-var", "password=" + HIDDEN]),
    (["-var=image=nginx"], ["-var=image=nginx"]),
    (["-backend-config=access_token=hunter2"], ["-backend-config=access_token=" + HIDDEN]),
    (["-backend-config=bucket=b"], ["-backend-config=bucket=b"]),
    (['-var=db={"user":"bob","password":"hunter2"}'], [f'-var=db={{"user": "bob", "password": "{HIDDEN}"}}']),
    (["-var=dsn=postgres://u:hunter2@h/x"], [f"-var=dsn=postgres://u:{HIDDEN}@h/x"]),
    (["--token", "hunter2", "plan"], ["--token", HIDDEN, "plan"]),
    (["--api-key=hunter2"], ["--api-key=" + HIDDEN]),
    (["--token", "-x"], ["--token", "-x"]),
    (["terraform", "-chdir=/x", "plan", "-out=p"], ["terraform", "-chdir=/x", "plan", "-out=p"]),
]


@pytest.mark.parametrize(("argv", "masked"), ARGV)
def test_command_lines(argv: list[str], masked: list[str]) -> None:
    assert list(MASKER.mask_argv(argv)) == masked


def test_secrets_are_not_in_a_repr() -> None:
    secrets = SecretSet.of(["hunter2-long", "x"])
    assert "hunter2" not in repr(secrets)
    assert secrets
    assert not NO_SECRETS
    assert (NO_SECRETS | secrets) == secrets


def test_variables_by_name() -> None:
    secrets = MASKER.secrets_among(
        {"db_password": "correct horse", "image": "nginx:latest", "TF_VAR_token": "zz1122"}
    )
    assert MASKER.mask_text("correct horse nginx:latest zz1122", secrets) == f"{HIDDEN} nginx:latest {HIDDEN}"


def test_a_plan_of_5000_resources_takes_well_under_a_second() -> None:
    resources = [
        {
            "address": f"google_sql_user.user[{n}]",
            "change": {
                "before": None,
                "after": {
                    "name": f"user-{n}", "password": f"sEcret-{n:05d}-value", "host": "%", "project": "acme",
                    "labels": {"team": "a", "n": str(n)}, "note": f"word{n} of a text",
                },
                "after_sensitive": {"password": True},
            },
        }
        for n in range(5000)
    ]  # fmt: skip
    block = (
        '  + resource "google_sql_user" "user" {{\n      + name = "user-{n}"\n'
        '      + note = "sEcret-{n:05d}-value"\n      + labels = {{\n          + "team" = "a"\n        }}\n'
        "      + password = (sensitive value)\n    }}\n"
    )
    text = "".join(block.format(n=n) for n in range(5000))
    begun = time.process_time()
    secrets = MASKER.secrets_of({"resource_changes": resources})
    masked = MASKER.mask_text(text, secrets)
    seconds = time.process_time() - begun
    assert "sEcret" not in masked
    assert masked.count("user-") == 5000
    assert seconds < 3, f"{seconds:.2f} s; about 0.6 s on an idle machine"


# The masker drops U+FDD0, which Unicode assigns to nothing, before it looks.
SECRET_TEXT = st.text(min_size=1, max_size=40).filter(lambda text: text.replace("\ufdd0", "").strip() != "")


def rendered(name: str, value: str) -> str:
    """A line of Terraform's diff, written here a second time and in another way than the masker's."""
    escaped = json.dumps(value, ensure_ascii=False)
    return f'      + {name} = {escaped}\n      ~ {name} = {escaped} -> "new" # forces replacement\n'


@given(secret=SECRET_TEXT, name=st.sampled_from(["password", "db_token", "apiKey", "CLIENT_SECRET"]))
def test_a_secret_name_s_line_never_shows_its_value(secret: str, name: str) -> None:
    masked = MASKER.mask_text(rendered(name, secret))
    lines = masked.splitlines()
    assert lines[0] == f"      + {name} = {HIDDEN}"
    assert lines[1].startswith(f"      ~ {name} = {HIDDEN} -> {HIDDEN}")


@given(
    secrets=st.lists(
        st.text(alphabet='abcdefXYZ0123456789-_.!$%"\\<>é', min_size=8, max_size=30), min_size=1, max_size=20
    ),
    noise=st.text(max_size=30),
)
def test_known_secrets_never_survive_in_any_text(secrets: list[str], noise: str) -> None:
    secret_set = SecretSet.of(secrets)
    messages = [secret for secret in secrets if secret in secret_set.anywhere]
    text = noise.join(["", *(f"<{item}>{json.dumps(item)}" for item in messages), ""])
    masked = secret_set.hide(text).replace(HIDDEN, "\0")
    for item in messages:
        assert item not in masked
        assert json.dumps(item)[1:-1] not in masked
