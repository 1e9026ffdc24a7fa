"""What every stop of the tour uses."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration

from qscope.v1.client_authentication_pb2 import ClientAuthentication
from qscope.v1.client_service_pb2_grpc import ClientServiceStub
from qscope.v1.device_service_pb2_grpc import DeviceServiceStub
from qscope.v1.token_pb2 import IssuedToken, SubjectType, TokenClaims, TokenUse
from qscope.v1.token_service_pb2 import IntrospectTokenRequest, MintTokenRequest
from qscope.v1.token_service_pb2_grpc import TokenServiceStub
from qscope.v1.user_pb2 import UserReference
from qscope_client import Refusal, TokenSource, bearer_token, connect, tls, with_secret, without_secret

#: Seconds for which each call may take: without a deadline, a call may wait forever.
PATIENCE = 10

#: Well-formed, and issued to nobody.
NOBODYS = "qat_0000000000000000000000000000000000000000000"


@dataclass(frozen=True)
class Registered:
    """A client as the registration told it."""

    client_id: str
    client_secret: str = ""
    redirect_uri: str = ""
    cert_file: str = ""
    key_file: str = ""

    def proof(self) -> ClientAuthentication:
        """How it authenticates in a request."""
        return with_secret(self.client_id, self.client_secret) if self.client_secret else without_secret(self.client_id)


@dataclass(frozen=True)
class Workload:
    """A client that its platform knows; each of its tokens is good for one call."""

    client_id: str
    #: Where the platform puts its token.
    assertion_file: str
    #: What it puts there in the end.
    next_assertion: str


class Guide:
    """Connects to the server of the settings, and prints what the stops tell."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.lossy_address: str = settings["lossy_address"]
        self.address: str = settings["address"]
        self.issuer: str = settings["issuer"]
        self.warehouse_audience: str = settings["warehouse_audience"]
        self.billing_audience: str = settings["billing_audience"]
        #: What the platform says about orders.
        self.assertion: str = settings["assertion"]
        #: Has the tokens of clients/conformance.
        self.verifier_cases_file: str = settings["verifier_cases_file"]
        #: Mints for itself and has scopes orders.read and orders.write.
        self.orders = Registered(**settings["orders"])
        #: The resource server of its audience; exchanges tokens for the billing audience.
        self.warehouse = Registered(**settings["warehouse"])
        #: A web application whose users sign in.
        self.shop = Registered(**settings["shop"])
        #: A public client on a device without a browser.
        self.television = Registered(**settings["television"])
        #: Is given JWT access tokens.
        self.reports = Registered(**settings["reports"])
        #: Proves itself by a certificate.
        self.courier = Registered(**settings["courier"])
        #: Is proved by the token in its file, which its platform replaces.
        self.workload = Workload(**settings["workload"])
        self.ca = Path(settings["ca_file"]).read_bytes()
        self._ray_prefix: str = settings["ray_prefix"]
        self.channel = connect(self.address, tls(self.ca))
        self.tokens = TokenServiceStub(self.channel)
        self.devices = DeviceServiceStub(self.channel)
        self.clients = ClientServiceStub(self.channel)
        #: May record what users decided; mints its own bearer tokens.
        self.front_end = self._bearer(Registered(**settings["front_end"]))
        #: May read clients and tokens.
        self.operator = self._bearer(Registered(**settings["operator"]))

    def close(self) -> None:
        self.channel.close()

    def _bearer(self, client: Registered) -> grpc.CallCredentials:
        request = MintTokenRequest(client=client.proof())
        return bearer_token(TokenSource(lambda: self.tokens.MintToken(request, timeout=PATIENCE).token))

    def call(self, step: str) -> dict[str, Any]:
        """Deadline and ray id of a step's calls; the server's log and audit log speak of them under it."""
        return {"timeout": PATIENCE, "metadata": (("x-ray-id", self._ray_prefix + step),)}

    def tell(self, step: str, told: dict[str, Any]) -> None:
        print(json.dumps({"step": step, **told}), flush=True)

    def tell_refusal(self, step: str, call: Callable[[], object]) -> None:
        """Print a refusal that has to come."""
        try:
            call()
        except grpc.RpcError as error:
            self.tell(step, refusal_told(Refusal.of(error)))
        else:
            message = f"{step} was not refused"
            raise AssertionError(message)

    def is_active(self, client: Registered, token: str) -> bool:
        """Ask as the client that a token was issued to."""
        request = IntrospectTokenRequest(client=client.proof(), token=token)
        return bool(self.tokens.IntrospectToken(request, **self.call("is_active")).active)


def refusal_told(refusal: Refusal) -> dict[str, Any]:
    told: dict[str, Any] = {
        "status": refusal.status,
        "reason": refusal.reason,
        "metadata": dict(refusal.metadata),
        "ray_id": refusal.ray_id,
        "remedy": refusal.remedy,
        "violations": [name for name, _ in refusal.violations],
    }
    if refusal.retry_after is not None:
        told["retry_after"] = refusal.retry_after
    if refusal.resource is not None:
        told["resource"] = "/".join(refusal.resource)
    return told


def token_told(token: IssuedToken) -> dict[str, Any]:
    return {
        "access_token": token.access_token,
        "refresh_token": token.refresh_token,
        "token_id": token.token_id,
        "token_type": token.token_type,
        "expires_in": token.expires_in.ToTimedelta().total_seconds(),
        "scopes": list(token.scopes),
        "audiences": list(token.audiences),
        "issued_token_type": token.issued_token_type,
    }


def claims_told(claims: TokenClaims) -> dict[str, Any]:
    actors = []
    actor = claims.actor
    while actor.subject:
        actors.append(actor.subject)
        actor = actor.actor
    return {
        "token_id": claims.token_id,
        "client_id": claims.client_id,
        "subject": claims.subject,
        "subject_type": SubjectType.Name(claims.subject_type),
        "token_use": TokenUse.Name(claims.token_use),
        "scopes": list(claims.scopes),
        "audiences": list(claims.audiences),
        "issuer": claims.issuer,
        "actors": actors,
        "x5t_s256": claims.confirmation.x5t_s256,
    }


def seconds(count: int) -> Duration:
    return Duration(seconds=count)


def user(external_id: str) -> UserReference:
    return UserReference(external_id=external_id)
