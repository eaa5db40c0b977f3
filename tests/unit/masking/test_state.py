"""Secrets of a state file, for text about a stack that has no plan."""

from __future__ import annotations

from orchestrator.masking import Masker

STATE = {
    "outputs": {"a": {"value": "of-an-output", "sensitive": True}, "b": {"value": "open-output"}},
    "resources": [
        {
            "type": "x_y",
            "instances": [
                {
                    "attributes": {
                        "payload": "of-a-path",
                        "blocks": [{"inner": "of-a-block"}, {"inner": "open-block"}],
                        "password": "of-a-name",
                        "text": "open-text",
                        "odd": {"deep": "of-an-odd-path"},
                    },
                    "sensitive_attributes": [
                        [{"type": "get_attr", "value": "payload"}],
                        [
                            {"type": "get_attr", "value": "blocks"},
                            {"type": "index", "value": {"value": 0, "type": "number"}},
                            {"type": "get_attr", "value": "inner"},
                        ],
                        [{"type": "get_attr", "value": "odd"}, {"type": "index", "value": None}],
                    ],
                }
            ],
        }
    ],
}


def test_what_a_state_marks_names_or_looks_like() -> None:
    secrets = Masker().secrets_in_state(STATE)
    hidden = ("of-an-output", "of-a-path", "of-a-block", "of-a-name", "of-an-odd-path")
    assert [secret for secret in hidden if secret in secrets.hide(f"it says {secret} here")] == []
    assert [
        secret for secret in ("open-output", "open-block", "open-text") if secret in secrets.anywhere
    ] == []
    assert not Masker().secrets_in_state({})
