"""Interceptors that let only good tokens reach a gRPC server's handlers."""

import contextvars
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import grpc
import grpc.aio

from qscope_client.admission import Admission, GuardRules, MethodRule, NotAdmitted, bearer_in, thumbprint_in
from qscope_client.async_verifier import AsyncVerifier, TokenVerifier
from qscope_client.verified_token import VerifiedToken

__all__ = ["AioGuard", "Guard", "GuardRules", "MethodRule", "admitted_token"]

_ADMITTED: contextvars.ContextVar[VerifiedToken | None] = contextvars.ContextVar("qscope_admitted_token", default=None)


def admitted_token() -> VerifiedToken | None:
    """Return what the token says that let the call of this handler in; ``None``: the guard asked for none."""
    return _ADMITTED.get()


def _log_failure(error: Exception) -> None:
    logging.getLogger(__name__).error("an access token could not be checked", exc_info=error)


class Guard(grpc.ServerInterceptor):  # type: ignore[misc]
    """
    Guards a server of threads (``grpc.server(…, interceptors=[guard])``).

    Calls without a good token end with UNAUTHENTICATED, those whose token does not permit the method with
    PERMISSION_DENIED, with the details that QScope itself sends. The token is looked at when a call begins.
    """

    def __init__(
        self,
        verifier: TokenVerifier,
        rules: GuardRules,
        on_check_failure: Callable[[Exception], None] = _log_failure,
    ) -> None:
        """
        Take a verifier, which its owner closes after the server stopped.

        ``on_check_failure`` is told why a token could not be checked: QScope is away, or this server's own credentials
        are wrong. The caller learns no more than that.
        """
        self._verifier = verifier
        self._rules = rules
        self._on_check_failure = on_check_failure

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        """Put the guard before the handler of a call; whatever no handler is for ends with UNIMPLEMENTED."""
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        admission = Admission(self._rules, handler_call_details.method, self._on_check_failure)
        behavior = _behavior_of(handler)

        def guarded(request: object, context: grpc.ServicerContext) -> object:
            try:
                token = self._admit(admission, context)
            except NotAdmitted as refused:
                context.set_trailing_metadata(refused.trailers)
                context.abort(refused.code, refused.message)
            scope = contextvars.copy_context()
            scope.run(_ADMITTED.set, token)
            answer = scope.run(behavior, request, context)
            return _within(scope, answer) if handler.response_streaming else answer

        return _with_behavior(handler, guarded)

    def _admit(self, admission: Admission, context: grpc.ServicerContext) -> VerifiedToken | None:
        if admission.is_open:
            return None
        value = bearer_in(context.invocation_metadata())
        try:
            token = self._verifier.verify(
                value, audience=admission.audience, certificate_thumbprint=thumbprint_in(context.auth_context())
            )
        except Exception as error:  # whatever it is, nobody comes in
            admission.refuse(error)
        return admission.judge(token)


class AioGuard(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """The same for a server of asyncio (``grpc.aio.server(interceptors=[guard])``), whose handlers are coroutines."""

    def __init__(
        self,
        verifier: TokenVerifier,
        rules: GuardRules,
        on_check_failure: Callable[[Exception], None] = _log_failure,
    ) -> None:
        """Take the verifier that threads use."""
        self._verifier = AsyncVerifier(verifier)
        self._rules = rules
        self._on_check_failure = on_check_failure

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        """Put the guard before the handler of a call; raise ``TypeError`` for one that is no coroutine."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        admission = Admission(self._rules, handler_call_details.method, self._on_check_failure)
        behavior = _behavior_of(handler)

        async def enter(context: grpc.aio.ServicerContext) -> None:
            try:
                _ADMITTED.set(await self._admit(admission, context))
            except NotAdmitted as refused:
                await context.abort(refused.code, refused.message, refused.trailers)

        async def answered(request: object, context: grpc.aio.ServicerContext) -> object:
            await enter(context)
            return await behavior(request, context)

        async def streamed(request: object, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
            await enter(context)
            async for answer in behavior(request, context):
                yield answer

        if inspect.isasyncgenfunction(behavior):
            return _with_behavior(handler, streamed)
        if inspect.iscoroutinefunction(behavior):
            return _with_behavior(handler, answered)
        message = f"the handler of {handler_call_details.method} is no coroutine"
        raise TypeError(message)

    async def _admit(self, admission: Admission, context: grpc.aio.ServicerContext) -> VerifiedToken | None:
        if admission.is_open:
            return None
        value = bearer_in(context.invocation_metadata())
        try:
            token = await self._verifier.verify(
                value, audience=admission.audience, certificate_thumbprint=thumbprint_in(context.auth_context())
            )
        except Exception as error:  # whatever it is, nobody comes in
            admission.refuse(error)
        return admission.judge(token)


def _within(scope: contextvars.Context, answers: Iterator[Any]) -> Iterator[Any]:
    """Run a generator in its own context, whichever thread asks for its next answer."""
    try:
        while True:
            try:
                yield scope.run(next, answers)
            except StopIteration:
                return
    finally:
        close = getattr(answers, "close", None)
        if close is not None:
            scope.run(close)


def _name_of(handler: grpc.RpcMethodHandler) -> str:
    streams = {False: "unary", True: "stream"}
    return f"{streams[handler.request_streaming]}_{streams[handler.response_streaming]}"


def _behavior_of(handler: grpc.RpcMethodHandler) -> Callable[..., Any]:
    return getattr(handler, _name_of(handler))


def _with_behavior(handler: grpc.RpcMethodHandler, behavior: Callable[..., Any]) -> grpc.RpcMethodHandler:
    make = getattr(grpc, f"{_name_of(handler)}_rpc_method_handler")
    return make(
        behavior,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
