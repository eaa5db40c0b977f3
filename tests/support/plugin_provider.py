"""A real provider in Python: a program that Terraform, or a gateway, starts by go-plugin's handshake.

`install` puts it into a filesystem mirror, at version 1.0.0 of `example.com/test/thing`. Its resource
`thing_item` takes over what its provider block was configured with, so that a mix-up of two blocks shows in a
plan. Every start, and the arguments of every configuration, is a line of `LOG` in the folder of the program.
Like the AWS provider it refuses a second configuration. A file `CRASH` beside the log makes the next plan of
a resource end the process, once.
"""

from __future__ import annotations

import base64
import contextlib
import os
import stat
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

LOG = "calls.log"
CRASH = "crash"
SOURCE = "example.com/test/thing"
VERSION = "1.0.0"
_MAGIC = "TF_PLUGIN_MAGIC_COOKIE"


def install(mirror: Path) -> Path:
    """Put the provider into a mirror; gives the folder of its package, where its log appears."""
    folder = mirror / SOURCE / VERSION / _platform()
    folder.mkdir(parents=True)
    program = folder / f"terraform-provider-thing_v{VERSION}"
    log = mirror / LOG
    program.write_text(
        textwrap.dedent(
            f"""\
            #!{sys.executable}
            import sys
            sys.path.insert(0, {str(Path(__file__).parents[2])!r})
            from tests.support.plugin_provider import serve
            serve({str(log)!r})
            """
        )
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


def cli_configuration(mirror: Path, path: Path) -> Path:
    """A CLI configuration that installs providers from a mirror alone."""
    path.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
    return path


def log_lines(mirror: Path) -> list[str]:
    """What the provider's processes did, in order."""
    path = mirror / LOG
    return path.read_text().splitlines() if path.is_file() else []


def _platform() -> str:
    machine = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}[os.uname().machine]
    return f"{os.uname().sysname.lower()}_{machine}"


def serve(log: str) -> None:
    """Be the provider until killed."""
    if _MAGIC not in os.environ:
        sys.exit("This is a plugin of Terraform's.")
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    shutdown = grpc.unary_unary_rpc_method_handler(lambda request, context: os._exit(0))
    controller = grpc.method_handlers_generic_handler("plugin.GRPCController", {"Shutdown": shutdown})
    server = grpc.server(ThreadPoolExecutor(16), handlers=[_Provider(log).handler(), controller])
    if os.environ.get("PLUGIN_CLIENT_CERT"):
        key, certificate, encoded = _certificate()
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    else:
        encoded = ""
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    _record(log, f"start {os.getpid()}")
    sys.stdout.write(f"1|6|tcp|127.0.0.1:{port}|grpc|{encoded}\n")
    sys.stdout.flush()
    server.wait_for_termination()


def _certificate() -> tuple[bytes, bytes, str]:
    """A key and its certificate for localhost, and the certificate as go-plugin's handshake has it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    encoded = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode().rstrip("=")
    return private, certificate.public_bytes(serialization.Encoding.PEM), encoded


def _record(log: str, line: str) -> None:
    with Path(log).open("a") as file:
        file.write(line + "\n")


class _Provider:
    def __init__(self, log: str) -> None:
        self.log = log
        self.project: str | None = None

    def handler(self) -> Any:
        import grpc
        from tf.gen import tfplugin_pb2 as pb

        calls = {
            "GetProviderSchema": self._schema,
            "ValidateProviderConfig": self._nothing,
            "ValidateResourceConfig": self._nothing,
            "ConfigureProvider": self._configure,
            "UpgradeResourceState": self._upgrade,
            "ReadResource": self._read,
            "PlanResourceChange": self._plan,
            "ApplyResourceChange": self._apply,
            "StopProvider": self._nothing,
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                _answering(call, getattr(pb, name).Response),
                request_deserializer=getattr(pb, name).Request.FromString,
                response_serializer=getattr(pb, name).Response.SerializeToString,
            )
            for name, call in calls.items()
        }
        return grpc.method_handlers_generic_handler("tfplugin6.Provider", handlers)

    def _schema(self, request: Any, response: Any) -> None:
        response.provider.block.attributes.add(name="project", type=b'"string"', optional=True)
        for name in ("thing_item", "thing_other"):
            block = response.resource_schemas[name].block
            block.attributes.add(name="name", type=b'"string"', optional=True)
            block.attributes.add(name="secret", type=b'"string"', optional=True, sensitive=True)
            block.attributes.add(name="project", type=b'"string"', computed=True)

    def _nothing(self, request: Any, response: Any) -> None:
        pass

    def _configure(self, request: Any, response: Any) -> None:
        import msgpack

        if self.project is not None:
            response.diagnostics.add(severity=1, summary="This provider is configured already")
            return
        self.project = msgpack.unpackb(request.config.msgpack)["project"] or "none"
        _record(self.log, f"configure {self.project}")
        if self.project == "dies":
            os._exit(3)

    def _upgrade(self, request: Any, response: Any) -> None:
        response.upgraded_state.json = request.raw_state.json

    def _read(self, request: Any, response: Any) -> None:
        response.new_state.CopyFrom(request.current_state)

    def _plan(self, request: Any, response: Any) -> None:
        import msgpack

        with contextlib.suppress(FileNotFoundError):
            Path(self.log).with_name(CRASH).unlink()
            os._exit(3)
        proposed = msgpack.unpackb(request.proposed_new_state.msgpack)
        if proposed is not None:
            proposed["project"] = self.project or "unconfigured"
        response.planned_state.msgpack = msgpack.packb(proposed)

    def _apply(self, request: Any, response: Any) -> None:
        response.new_state.CopyFrom(request.planned_state)


def _answering(call: Callable[[Any, Any], None], response_type: Any) -> Callable[[Any, Any], Any]:
    def answer(request: Any, context: Any) -> Any:
        response = response_type()
        call(request, response)
        return response

    return answer
