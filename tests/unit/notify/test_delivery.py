"""How payloads reach a webhook, on a real server: none goes elsewhere, and no error has the address."""

from __future__ import annotations

import hashlib
import hmac
import threading

import pytest

from orchestrator.errors import ForgeError
from orchestrator.notify.delivery import deliver, signature_headers
from tests.support.webhooks import receiving

BODY = b'{"text":"x"}'


def test_a_body_arrives_as_it_is() -> None:
    with receiving() as receiver:
        deliver(receiver.url, "CHAT_URL", BODY, {"X-Infra-Timestamp": "5"})
    ((path, headers, body),) = receiver.requests
    assert (path, body) == ("/hook", BODY)
    assert headers["X-Infra-Timestamp"] == "5"
    assert headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    with receiving() as other, receiving([(status, {"Location": other.url})]) as receiver:
        with pytest.raises(ForgeError, match="redirect") as caught:
            deliver(receiver.url, "CHAT_URL", BODY, {})
        assert len(receiver.requests) == 1
        assert other.requests == []
    assert "127.0.0.1" not in caught.value.message + caught.value.advice


def test_too_many_requests_are_sent_once_more() -> None:
    wait = (429, {"Retry-After": "0"})
    with receiving([wait]) as receiver:
        deliver(receiver.url, "CHAT_URL", BODY, {})
    assert receiver.bodies == [BODY, BODY]
    with receiving([wait, wait, wait]) as receiver:
        with pytest.raises(ForgeError, match="answered 429"):
            deliver(receiver.url, "CHAT_URL", BODY, {})
        assert len(receiver.requests) == 2


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/secret",
        "ftp://example.com/secret",
        "https:///secret",
        "https://[secret",
        "https://example.com:port/secret",
        "https://example.com/secret\r\nX: y",
        "https://example.com/sec ret",
        "file:///etc/secret",
        "https://169.254.169.254/secret",
        "https://[fe80::1]/secret",
        "https://[::ffff:169.254.169.254]/secret",
        "https://[64:ff9b::a9fe:a9fe]/secret",
        "https://[2002:a9fe:a9fe::1]/secret",
        "https://[::169.254.169.254]/secret",
        "https://[fd00:ec2::254]/secret",
        "https://100.100.100.200/secret",
        "https://0.0.0.0/secret",
        "https://224.0.0.1/secret",
        "secret",
    ],
)
def test_other_addresses_are_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(ForgeError) as caught:
        deliver(url, "CHAT_URL", BODY, {})
    assert "CHAT_URL" in caught.value.message
    assert "cannot be reached" not in caught.value.message
    assert "secret" not in caught.value.message + caught.value.advice


def test_nothing_waits_longer_than_the_deadline() -> None:
    hang = threading.Event()
    with receiving(hang=hang) as receiver:
        with pytest.raises(ForgeError, match=r"did not answer in 0\.05 s"):
            deliver(receiver.url, "CHAT_URL", BODY, {}, deadline=0.05)
        hang.set()


def test_a_closed_port_is_an_error_without_the_address() -> None:
    with pytest.raises(ForgeError, match="CHAT_URL cannot be reached") as caught:
        deliver("http://127.0.0.1:9/secret", "CHAT_URL", BODY, {})
    assert "secret" not in caught.value.message + caught.value.advice


def test_the_signature_is_of_the_time_and_the_body() -> None:
    headers = signature_headers("key", BODY, 1_700_000_000)
    digest = hmac.new(b"key", b"1700000000." + BODY, hashlib.sha256).hexdigest()
    assert headers == {"X-Infra-Timestamp": "1700000000", "X-Infra-Signature": f"v1={digest}"}
    assert signature_headers("key", BODY, 1_700_000_001)["X-Infra-Signature"] != f"v1={digest}"


def test_a_message_to_this_machine_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as proxy, receiving() as receiver:
        monkeypatch.setenv("http_proxy", proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        deliver(receiver.url, "CHAT_URL", BODY, {})
        assert receiver.bodies == [BODY]
        assert proxy.requests == []


def test_looking_a_name_up_is_within_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    hang = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: hang.wait(30) and [])
    with pytest.raises(ForgeError, match=r"did not answer in 0\.05 s"):
        deliver("https://chat.invalid/secret", "CHAT_URL", BODY, {}, deadline=0.05)
    hang.set()


def test_a_key_that_is_no_utf8_signs() -> None:
    assert signature_headers("k\udcff", BODY, 1)["X-Infra-Signature"].startswith("v1=")
