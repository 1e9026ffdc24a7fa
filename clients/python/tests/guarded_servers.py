"""Servers of threads and of asyncio behind a guard, and QScope as the table of guard cases has it."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent import futures
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.timestamp_pb2 import Timestamp
from scripted_server import INVALID_TOKEN, UNAVAILABLE, WAIT, StatusError, revocation_key

from qscope.v1.token_pb2 import Confirmation, SubjectType, TokenClaims, TokenUse
from qscope.v1.token_service_pb2 import (
    PollRevocationsRequest,
    PollRevocationsResponse,
    VerifyTokenRequest,
    VerifyTokenResponse,
)
from qscope_client import AioGuard, Guard, VerifiedToken, admitted_token

_Result = TypeVar("_Result")

SERVICE = "grpc.health.v1.Health"
TABLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "conformance" / "guard-cases.json").read_text(encoding="utf-8")
)
_REFUSALS = {
    "invalid_token": INVALID_TOKEN,
    "unavailable": UNAVAILABLE,
    "invalid_client": StatusError(grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT"),
}


class _Polls:
    """Have nothing to tell, and take a moment after the first answer."""

    def future(self, request: PollRevocationsRequest, **_: object) -> Future[PollRevocationsResponse]:
        answer: Future[PollRevocationsResponse] = Future()
        threading.Timer(0.05 if request.cursor else 0, self._tell, [answer]).start()
        return answer

    def _tell(self, answer: Future[PollRevocationsResponse]) -> None:
        if answer.set_running_or_notify_cancel():
            answer.set_result(PollRevocationsResponse(next_cursor="next"))


class TabledServer:
    """Stands in for the stub of TokenService."""

    def __init__(self, bound_to: str | None = None) -> None:
        """Take the thumbprint that all tokens are bound to."""
        self._bound_to = bound_to
        self.asked = 0
        self.PollRevocations = _Polls()

    def VerifyToken(self, request: VerifyTokenRequest, **_: object) -> VerifyTokenResponse:  # noqa: N802
        """Answer at once."""
        self.asked += 1
        told = TABLE["tokens"].get(request.token, "invalid_token")
        if isinstance(told, str):
            raise _REFUSALS[told]
        if self._bound_to is not None and request.presented_certificate_sha256 != self._bound_to:
            raise INVALID_TOKEN
        now = int(time.time())
        return VerifyTokenResponse(
            claims=TokenClaims(
                token_id=request.token,
                client_id="orders",
                subject="orders",
                subject_type=SubjectType.SUBJECT_TYPE_CLIENT,
                scopes=told["scopes"],
                audiences=told["audiences"],
                issue_time=Timestamp(seconds=now),
                expire_time=Timestamp(seconds=now + 3_600),
                token_use=TokenUse.TOKEN_USE_ACCESS,
                issuer=TABLE["issuer"],
                confirmation=None if self._bound_to is None else Confirmation(x5t_s256=self._bound_to),
                revocation_keys=[revocation_key(request.token)],
            )
        )


class GuardedServer:
    """Serves the methods of the table; ``admitted`` has what let each call in that reached a handler."""

    def __init__(self, credentials: grpc.ServerCredentials | None = None) -> None:
        """Take TLS, or none."""
        self.admitted: list[VerifiedToken | None] = []
        self.port = 0
        self._credentials = credentials

    @property
    def address(self) -> str:
        """Return where it listens."""
        return f"localhost:{self.port}"

    def _bind(self, server: grpc.Server) -> None:
        at = "localhost:0"
        if self._credentials is None:
            self.port = server.add_insecure_port(at)
        else:
            self.port = server.add_secure_port(at, self._credentials)


class ThreadedServer(GuardedServer):
    """Of threads."""

    def __init__(self, guard: Guard, credentials: grpc.ServerCredentials | None = None) -> None:
        """Start."""
        super().__init__(credentials)
        self._server = grpc.server(futures.ThreadPoolExecutor(4), interceptors=[guard])

        def check(_request: Empty, _context: grpc.ServicerContext) -> Empty:
            self.admitted.append(admitted_token())
            return Empty()

        def watch(_request: Empty, _context: grpc.ServicerContext) -> Iterator[Empty]:
            yield Empty()
            # As late as this it is the same.
            self.admitted.append(admitted_token())
            yield Empty()

        self._server.add_generic_rpc_handlers((_handlers(check, watch),))
        self._bind(self._server)
        self._server.start()

    def stop(self) -> None:
        """End all calls."""
        self._server.stop(None).wait(WAIT)


class AioServer(GuardedServer):
    """Of asyncio, on an event loop of a thread of its own."""

    def __init__(self, guard: AioGuard, credentials: grpc.ServerCredentials | None = None) -> None:
        """Start."""
        super().__init__(credentials)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server: grpc.aio.Server = self._run(self._start(guard))

    async def _start(self, guard: AioGuard) -> grpc.aio.Server:
        server = grpc.aio.server(interceptors=[guard])

        async def check(_request: Empty, _context: grpc.aio.ServicerContext) -> Empty:
            self.admitted.append(admitted_token())
            return Empty()

        async def watch(_request: Empty, _context: grpc.aio.ServicerContext) -> AsyncIterator[Empty]:
            yield Empty()
            self.admitted.append(admitted_token())
            yield Empty()

        server.add_generic_rpc_handlers((_handlers(check, watch),))
        self._bind(server)
        await server.start()
        return server

    def _run(self, work: Coroutine[object, object, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT)

    def stop(self) -> None:
        """End all calls."""
        self._run(self._server.stop(None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT)
        self._loop.close()


def _handlers(check: Callable[..., object], watch: Callable[..., object]) -> grpc.GenericRpcHandler:
    coding = {"request_deserializer": Empty.FromString, "response_serializer": Empty.SerializeToString}
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Check": grpc.unary_unary_rpc_method_handler(check, **coding),
            "List": grpc.unary_unary_rpc_method_handler(check, **coding),
            "Watch": grpc.unary_stream_rpc_method_handler(watch, **coding),
        },
    )


def call(
    address: str, path: str, authorization: Sequence[str], credentials: grpc.ChannelCredentials | None = None
) -> None:
    """Call to the end; raise ``grpc.RpcError``."""
    made = grpc.insecure_channel(address) if credentials is None else grpc.secure_channel(address, credentials)
    with made as channel:
        kind = channel.unary_stream if path.endswith("/Watch") else channel.unary_unary
        method = kind(path, request_serializer=Empty.SerializeToString, response_deserializer=Empty.FromString)
        answer = method(Empty(), metadata=[("authorization", value) for value in authorization], timeout=WAIT)
        if path.endswith("/Watch"):
            list(answer)
