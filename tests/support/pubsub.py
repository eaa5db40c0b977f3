"""A subscription of Pub/Sub on loopback, as far as a drift check uses it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class SubscriptionServer:
    """Messages by ack id: those that wait, and those that somebody has; `address` is HOST:PORT."""

    waiting: dict[str, Any] = field(default_factory=dict)
    pulled: dict[str, Any] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)
    address: str = ""

    def publish(self, ack_id: str, entry: Any) -> None:
        """Let a message wait."""
        data = base64.b64encode(json.dumps(entry).encode()).decode()
        self.waiting[ack_id] = {"data": data, "messageId": ack_id, "publishTime": "2030-11-20T10:00:01Z"}

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a request; None for a path that does not exist."""
        name, _, method = path.rpartition(":")
        if name != "/v1/projects/p/subscriptions/changes":
            return None
        if method == "pull":
            batch = {key: self.waiting.pop(key) for key in list(self.waiting)[: body["maxMessages"]]}
            self.pulled |= batch
            return {"receivedMessages": [{"ackId": key, "message": batch[key]} for key in batch]}
        for key in body["ackIds"]:
            message = self.pulled[key] if body.get("ackDeadlineSeconds") else self.pulled.pop(key)
            if method == "acknowledge":
                self.acknowledged.append(key)
            elif not body["ackDeadlineSeconds"]:
                self.waiting[key] = message
        return {}


@contextmanager
def serving_subscription() -> Iterator[SubscriptionServer]:
    """A server of `projects/p/subscriptions/changes`."""
    subscription = SubscriptionServer()

    class SubscriptionRequest(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = subscription.answer(self.path, body)
            data = json.dumps(answer or {}).encode()
            self.send_response(404 if answer is None else 200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), SubscriptionRequest)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    subscription.address = f"127.0.0.1:{server.server_address[1]}"
    try:
        yield subscription
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
