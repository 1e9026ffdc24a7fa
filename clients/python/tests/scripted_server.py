"""A server that answers when a case says so, and what it answers with."""

import queue
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from types import MappingProxyType
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from qscope.v1.token_pb2 import Confirmation, SubjectType, TokenClaims, TokenUse
from qscope.v1.token_service_pb2 import (
    GetJsonWebKeySetRequest,
    GetJsonWebKeySetResponse,
    PollRevocationsRequest,
    PollRevocationsResponse,
    VerifyTokenRequest,
    VerifyTokenResponse,
)

#: Seconds after which a case that hangs has failed.
WAIT = 30


class StatusError(grpc.RpcError):  # type: ignore[misc]
    """A refused call."""

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str = "",
        metadata: Mapping[str, str] = MappingProxyType({}),
        retry_after: float | None = None,
    ) -> None:
        """Take the status and, where the server made it, the reason and the seconds to wait."""
        super().__init__()
        self._code = code
        self._details: list[AnyMessage] = []
        if reason:
            self._add(ErrorInfo(reason=reason, domain="qscope", metadata=metadata))
        if retry_after is not None:
            delay = Duration()
            delay.FromMilliseconds(round(retry_after * 1_000))
            self._add(RetryInfo(retry_delay=delay))

    def _add(self, detail: Message) -> None:
        packed = AnyMessage()
        packed.Pack(detail)
        self._details.append(packed)

    def code(self) -> grpc.StatusCode:
        """Return the status."""
        return self._code

    def details(self) -> str:
        """Return the text for people."""
        return "scripted"

    def trailing_metadata(self) -> Sequence[tuple[str, bytes]]:
        """Return the metadata that carries the details."""
        status = Status(code=self._code.value[0], message="scripted", details=self._details)
        return rpc_status.to_status(status).trailing_metadata or ()


UNAVAILABLE = StatusError(grpc.StatusCode.UNAVAILABLE)
INVALID_TOKEN = StatusError(grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_TOKEN", {"token": "presented"})


class Call:
    """A call that waits for its answer."""

    def __init__(self, request: VerifyTokenRequest | PollRevocationsRequest) -> None:
        """Take what was asked."""
        self.request = request
        self.answer: Future[Any] = Future()


class _Polls:
    def __init__(self) -> None:
        self.waiting: queue.Queue[Call] = queue.Queue()

    def future(self, request: PollRevocationsRequest, **_: object) -> Future[PollRevocationsResponse]:
        call = Call(request)
        self.waiting.put(call)
        return call.answer


class ScriptedServer:
    """Stands in for the stub of TokenService."""

    def __init__(self, key_set: GetJsonWebKeySetResponse | None) -> None:
        """Take the keys; ``None``: they cannot be fetched."""
        self._key_set = key_set
        self.questions: queue.Queue[Call] = queue.Queue()
        self.PollRevocations = _Polls()

    def VerifyToken(self, request: VerifyTokenRequest, **_: object) -> VerifyTokenResponse:  # noqa: N802
        """Wait for the answer of the case."""
        call = Call(request)
        self.questions.put(call)
        return call.answer.result(WAIT)

    def GetJsonWebKeySet(self, _request: GetJsonWebKeySetRequest, **_: object) -> GetJsonWebKeySetResponse:  # noqa: N802
        """Answer at once."""
        if self._key_set is None:
            raise UNAVAILABLE
        return self._key_set


def revocation_key(name: str) -> bytes:
    """Return the 16 bytes that a name of the table stands for."""
    return name.encode("ascii").ljust(16, b"\0")


class Tokens:
    """The tokens of the table, and what the server answers about them."""

    def __init__(self, table: dict[str, Any], finished: dict[str, Any]) -> None:
        """Take the recipes and the finished tokens."""
        self._table = table
        #: By their names, as they are presented.
        self.presented: dict[str, str] = finished["tokens"]
        self.key_set = ParseDict({"keys": finished["keys"], "maxAge": "300s"}, GetJsonWebKeySetResponse())

    def answer(self, name: str, keys: list[str] | None) -> VerifyTokenResponse:
        """Return what VerifyToken answers about an active token, with other keys where they are given."""
        recipe = self._table["tokens"][name]
        claims = {**self._table["claims"], **recipe.get("claims", {})}
        own, bound, clock = self._table["audience"], claims["certificate"], self._table["clock"]
        refresh = recipe.get("token_use") == "refresh"
        return VerifyTokenResponse(
            claims=TokenClaims(
                token_id=name,
                client_id=claims["client_id"],
                subject=claims["subject"],
                subject_type=SubjectType.SUBJECT_TYPE_CLIENT,
                scopes=claims["scopes"],
                audiences=[own if each == "$audience" else each for each in claims["audiences"]],
                issue_time=Timestamp(seconds=clock + claims["issued_in"]),
                expire_time=Timestamp(seconds=clock + claims["expires_in"]),
                token_use=TokenUse.TOKEN_USE_REFRESH if refresh else TokenUse.TOKEN_USE_ACCESS,
                issuer=self._table["issuer"],
                confirmation=Confirmation(x5t_s256=self._table["certificates"][bound]) if bound else None,
                extra=ParseDict(claims["extra"], Struct()),
                revocation_keys=[revocation_key(key) for key in (recipe["keys"] if keys is None else keys)],
            )
        )
