"""The guards of both kinds of servers, against the cases that all languages share."""

import datetime
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from guarded_servers import SERVICE, TABLE, AioServer, TabledServer, ThreadedServer, call

from qscope.v1.token_service_pb2_grpc import TokenServiceStub
from qscope_client import (
    AioGuard,
    CachingVerifier,
    Guard,
    GuardRules,
    MethodRule,
    OnlineVerifier,
    Refusal,
    ResourceServer,
    TokenVerifier,
    certificate_thumbprint,
    with_secret,
)

CHECK = f"/{SERVICE}/Check"
WATCH = f"/{SERVICE}/Watch"
READERS = GuardRules(TABLE["audience"], otherwise=MethodRule(("orders.read",)))

_Start = Callable[..., ThreadedServer | AioServer]
SERVERS: dict[str, _Start] = {
    "threads": lambda verifier, rules, told, tls=None: ThreadedServer(Guard(verifier, rules, told), tls),
    "asyncio": lambda verifier, rules, told, tls=None: AioServer(AioGuard(verifier, rules, told), tls),
}


def _rule_of(written: str | dict[str, Any]) -> MethodRule:
    if isinstance(written, str):
        return MethodRule(is_open=True)
    return MethodRule(tuple(written["scopes"]), written.get("audience"))


def _rules_of(written: dict[str, Any]) -> GuardRules:
    otherwise = written["otherwise"]
    methods = {path: _rule_of(rule) for path, rule in written["methods"].items()}
    return GuardRules(TABLE["audience"], methods, None if otherwise is None else _rule_of(otherwise))


@contextmanager
def _verifiers(server: TabledServer) -> Iterator[dict[str, TokenVerifier]]:
    """Both ways to verify."""
    calls = ResourceServer(cast(TokenServiceStub, server), client=with_secret("warehouse", "any"))
    with CachingVerifier(calls) as caching:
        caching.wait_until_current(10)
        yield {"by asking": OnlineVerifier(calls), "from memory": caching}


def _refusal_of(
    address: str, path: str, authorization: list[str], credentials: grpc.ChannelCredentials | None = None
) -> Refusal | None:
    try:
        call(address, path, authorization, credentials)
    except grpc.RpcError as error:
        return Refusal.of(error)
    return None


class GuardTest(unittest.TestCase):
    """Guarded servers."""

    def test_keeps_to_the_shared_cases(self) -> None:
        with _verifiers(TabledServer()) as verifiers:
            for kind, start in SERVERS.items():
                for how, verifier in verifiers.items():
                    for name, rules in TABLE["rules"].items():
                        failures: list[Exception] = []
                        server = start(verifier, _rules_of(rules), failures.append)
                        try:
                            for case in TABLE["cases"]:
                                if case["rules"] == name:
                                    with self.subTest(case["name"], kind=kind, how=how):
                                        self._judge(server, case, failures)
                        finally:
                            server.stop()

    def _judge(self, server: ThreadedServer | AioServer, case: dict[str, Any], failures: list[Exception]) -> None:
        server.admitted.clear()
        failures.clear()
        values = [value.replace("$", "") for value in case["authorization"]]
        refusal = _refusal_of(server.address, case["path"], values)
        expected = case["result"]
        if expected["status"] == "OK":
            self.assertIsNone(refusal)
            tokens = [None if token is None else token.token_id for token in server.admitted]
            self.assertEqual(tokens, [expected["token"]])
            return
        if refusal is None:
            self.fail("it came in")
        self.assertEqual(server.admitted, [])
        self.assertEqual(
            (refusal.status, refusal.reason, refusal.message),
            (expected["status"], expected["reason"], expected["message"]),
        )
        scopes = {"required_scopes": expected["required_scopes"]} if "required_scopes" in expected else {}
        self.assertEqual(refusal.metadata, {"oauth_error": expected["oauth_error"], **scopes})
        is_unknown = expected["status"] in {"UNAVAILABLE", "INTERNAL"}
        self.assertEqual(len(failures), 1 if is_unknown else 0)

    def test_asks_once_from_memory_and_always_online(self) -> None:
        for kind, start in SERVERS.items():
            for how, asked in {"by asking": 3, "from memory": 1}.items():
                qscope = TabledServer()
                with self.subTest(kind=kind, how=how), _verifiers(qscope) as verifiers:
                    server = start(verifiers[how], READERS, self.fail)
                    try:
                        for _ in range(3):
                            call(server.address, CHECK, ["Bearer reader"])
                    finally:
                        server.stop()
                    self.assertEqual(qscope.asked, asked)

    def test_takes_a_bound_token_only_from_who_holds_its_certificate(self) -> None:
        serving, holder, other = (_Identity() for _ in range(3))
        tls = grpc.ssl_server_credentials(
            [(serving.key, serving.certificate)], holder.certificate + other.certificate, require_client_auth=True
        )
        with _verifiers(TabledServer(bound_to=holder.thumbprint)) as verifiers:
            for kind, start in SERVERS.items():
                for how, verifier in verifiers.items():
                    server = start(verifier, READERS, self.fail, tls)
                    try:
                        for shown, status in ((holder, None), (other, "UNAUTHENTICATED")):
                            credentials = grpc.ssl_channel_credentials(
                                serving.certificate, shown.key, shown.certificate
                            )
                            for path in (CHECK, WATCH):
                                with self.subTest(kind=kind, how=how, path=path, status=status):
                                    refusal = _refusal_of(server.address, path, ["Bearer reader"], credentials)
                                    self.assertEqual(None if refusal is None else refusal.status, status)
                    finally:
                        server.stop()

    def test_leaves_what_nobody_handles_to_the_server(self) -> None:
        with _verifiers(TabledServer()) as verifiers:
            for start in SERVERS.values():
                server = start(verifiers["by asking"], READERS, self.fail)
                try:
                    refusal = _refusal_of(server.address, f"/{SERVICE}/Missing", [])
                finally:
                    server.stop()
                self.assertEqual(None if refusal is None else refusal.status, "UNIMPLEMENTED")


class _Identity:
    """A certificate that is signed by its own key."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"of a test {id(self)}")])
        now = datetime.datetime.now(datetime.UTC)
        hour = datetime.timedelta(hours=1)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - hour, now + hour)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM)
        self.thumbprint = certificate_thumbprint(certificate.public_bytes(serialization.Encoding.DER))
        self.key = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


if __name__ == "__main__":
    unittest.main()
