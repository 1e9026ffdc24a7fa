"""Who comes in, by the token of a call and the rule of its method (RFC 6750 §3.1)."""

import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from jwt.exceptions import InvalidTokenError

from qscope_client.caching_verifier import VerifierClosedError
from qscope_client.jwt_verifier import certificate_thumbprint
from qscope_client.refusal import Refusal
from qscope_client.verified_token import VerifiedToken

#: RFC 6750 §2.1; the scheme's case does not matter (RFC 9110 §11.1).
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class MethodRule:
    """Who may call a method: bearers of a token with all of these scopes; none: of any good token."""

    scopes: tuple[str, ...] = ()
    #: Instead of the guard's own.
    audience: str | None = None
    #: Without a token, too.
    is_open: bool = False


@dataclass(frozen=True)
class GuardRules:
    """How a server decides who comes in."""

    #: Must be among a token's, unless the method has one of its own; ``None`` takes tokens for anybody.
    audience: str | None
    #: By their full names, such as ``/orders.v1.OrderService/GetOrder``.
    methods: Mapping[str, MethodRule] = field(default_factory=dict)
    #: The rule of all other methods; ``None``: nobody may call them.
    otherwise: MethodRule | None = None


class NotAdmitted(Exception):  # noqa: N818 - as its caller learns it, it is no error
    """Why a call does not come in, as its caller learns it."""

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        oauth_error: str,
        message: str,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Take what QScope itself would say, so that callers read both alike."""
        super().__init__(message)
        self.code = code
        self.message = message
        info = ErrorInfo(reason=reason, domain="qscope", metadata={"oauth_error": oauth_error, **(metadata or {})})
        detail = AnyMessage()
        detail.Pack(info)
        status = Status(code=code.value[0], message=message, details=[detail])
        self.trailers = (("grpc-status-details-bin", status.SerializeToString()),)


class Admission:
    """Judges one call."""

    def __init__(self, rules: GuardRules, method: str, on_check_failure: Callable[[Exception], None]) -> None:
        """Take the method by its full name."""
        self.rule = rules.methods.get(method, rules.otherwise)
        own = None if self.rule is None else self.rule.audience
        self.audience = rules.audience if own is None else own
        self._on_check_failure = on_check_failure

    @property
    def is_open(self) -> bool:
        """Tell whether no token is looked at."""
        return self.rule is not None and self.rule.is_open

    def judge(self, token: VerifiedToken) -> VerifiedToken:
        """Return the token that lets the call in."""
        if self.rule is None:
            _lack_scope({})
        if any(scope not in token.scopes for scope in self.rule.scopes):
            _lack_scope({"required_scopes": " ".join(self.rule.scopes)})
        return token

    def refuse(self, error: Exception) -> NoReturn:
        """Raise what the caller learns of what a verifier raised."""
        if isinstance(error, InvalidTokenError):
            refuse_token()
        self._on_check_failure(error)
        if _is_temporary(error):
            raise NotAdmitted(
                grpc.StatusCode.UNAVAILABLE,
                "OAUTH_TEMPORARILY_UNAVAILABLE",
                "temporarily_unavailable",
                "The access token cannot be checked now.",
            )
        raise NotAdmitted(
            grpc.StatusCode.INTERNAL, "OAUTH_SERVER_ERROR", "server_error", "The access token could not be checked."
        )


def bearer_in(metadata: Iterable[tuple[str, Any]] | None) -> str:
    """Return the token of a call."""
    values = [value for name, value in metadata or () if name == "authorization"]
    found = _BEARER.fullmatch(values[0]) if len(values) == 1 else None
    if found is None:
        refuse_token()
    return found[1]


def thumbprint_in(auth_context: Mapping[str, Iterable[bytes]]) -> str | None:
    """Return the thumbprint of the certificate that the caller showed, if the server asked for one."""
    for certificate in auth_context.get("x509_pem_cert", ()):
        return certificate_thumbprint(ssl.PEM_cert_to_DER_cert(certificate.decode()))
    return None


def refuse_token() -> NoReturn:
    """Raise that the token is missing or not good."""
    raise NotAdmitted(
        grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_TOKEN", "invalid_token", "A valid access token is needed."
    )


def _lack_scope(metadata: Mapping[str, str]) -> NoReturn:
    raise NotAdmitted(
        grpc.StatusCode.PERMISSION_DENIED,
        "OAUTH_INSUFFICIENT_SCOPE",
        "insufficient_scope",
        "The access token does not permit this.",
        metadata,
    )


def _is_temporary(error: Exception) -> bool:
    """Tell whether the same token may be checked later."""
    if isinstance(error, VerifierClosedError):
        return True
    if not isinstance(error, grpc.RpcError):
        return False
    refusal = Refusal.of(error)
    if refusal.reason:
        return refusal.reason in {"OAUTH_TEMPORARILY_UNAVAILABLE", "LIMIT_EXCEEDED"}
    return refusal.status in {"UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED"}
