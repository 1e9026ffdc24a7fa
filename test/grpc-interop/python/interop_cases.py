"""The cases of gRPC's interoperability test descriptions, by grpcio, which is published without a client for them.

Run as: python interop_cases.py STUBS CASE PORT [CA_FILE]. STUBS is the folder that the stubs were generated into. What
does not hold ends the run with an error.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc

# The protos are of a package within that of grpcio.
grpc.__path__.append(str(Path(sys.argv[1]) / "grpc"))

from grpc.testing import empty_pb2, messages_pb2, test_pb2_grpc  # noqa: E402

INITIAL_KEY = "x-grpc-test-echo-initial"
INITIAL_VALUE = "test_initial_metadata_value"
TRAILING_KEY = "x-grpc-test-echo-trailing-bin"
TRAILING_VALUE = b"\x0a\x0b\x0a\x0b\x0a\x0b"
REQUEST_SIZES = (27182, 8, 1828, 45904)
RESPONSE_SIZES = (31415, 9, 2653, 58979)
LARGE_REQUEST = 271828
LARGE_RESPONSE = 314159
# What is smaller grows when it is compressed, and grpcio sends it as it is.
WORTH_COMPRESSING = 100

Stub = test_pb2_grpc.TestServiceStub


class CaseFailedError(Exception):
    """What a case found is not what it is about."""


@dataclass(frozen=True)
class Target:
    """Where the server is."""

    address: str
    # None: plaintext.
    ca_file: str | None


def open_channel(target: Target) -> grpc.Channel:
    if target.ca_file is None:
        return grpc.insecure_channel(target.address)
    return grpc.secure_channel(target.address, grpc.ssl_channel_credentials(Path(target.ca_file).read_bytes()))


def expect(found: object, wanted: object) -> None:
    if found != wanted:
        raise CaseFailedError(f"found {found!r} where {wanted!r} is wanted")


def expect_status(call: Callable[[], object], code: grpc.StatusCode, details: str | None = None) -> None:
    try:
        call()
    except grpc.RpcError as error:
        expect(error.code(), code)
        if details is not None:
            expect(error.details(), details)
    else:
        raise CaseFailedError(f"the call succeeded where {code} is wanted")


def payload(size: int) -> messages_pb2.Payload:
    return messages_pb2.Payload(body=bytes(size))


def large_request(**more: object) -> messages_pb2.SimpleRequest:
    return messages_pb2.SimpleRequest(response_size=LARGE_RESPONSE, payload=payload(LARGE_REQUEST), **more)


def streamed_request(size: int, payload_size: int) -> messages_pb2.StreamingOutputCallRequest:
    parameters = [messages_pb2.ResponseParameters(size=size)]
    return messages_pb2.StreamingOutputCallRequest(response_parameters=parameters, payload=payload(payload_size))


class Requests:
    """A stream of requests that are sent one by one."""

    def __init__(self) -> None:
        self._next: list[messages_pb2.StreamingOutputCallRequest] = []
        self._closed = False

    def send(self, request: messages_pb2.StreamingOutputCallRequest) -> None:
        self._next.append(request)

    def close(self) -> None:
        self._closed = True

    def __iter__(self) -> Iterator[messages_pb2.StreamingOutputCallRequest]:
        while self._next or not self._closed:
            if self._next:
                yield self._next.pop(0)
            else:
                time.sleep(0.001)


def empty_unary(stub: Stub) -> None:
    expect(stub.EmptyCall(empty_pb2.Empty()), empty_pb2.Empty())


def large_unary(stub: Stub) -> None:
    expect(stub.UnaryCall(large_request()).payload.body, bytes(LARGE_RESPONSE))


def client_compressed_unary(stub: Stub) -> None:
    compressed = messages_pb2.BoolValue(value=True)
    # The server must see that this one is not.
    lying = large_request(expect_compressed=compressed)
    expect_status(lambda: stub.UnaryCall(lying), grpc.StatusCode.INVALID_ARGUMENT)
    answer = stub.UnaryCall(large_request(expect_compressed=compressed), compression=grpc.Compression.Gzip)
    expect(len(answer.payload.body), LARGE_RESPONSE)
    plain = large_request(expect_compressed=messages_pb2.BoolValue(value=False))
    expect(len(stub.UnaryCall(plain).payload.body), LARGE_RESPONSE)


def server_compressed_unary(stub: Stub) -> None:
    for value in (True, False):
        request = large_request(response_compressed=messages_pb2.BoolValue(value=value))
        expect(stub.UnaryCall(request).payload.body, bytes(LARGE_RESPONSE))


def client_streaming(stub: Stub) -> None:
    requests = (messages_pb2.StreamingInputCallRequest(payload=payload(size)) for size in REQUEST_SIZES)
    expect(stub.StreamingInputCall(requests).aggregated_payload_size, sum(REQUEST_SIZES))


def client_compressed_streaming(stub: Stub) -> None:
    """All of a stream, as grpcio compresses all messages of a call or none."""
    sizes = [size for size in REQUEST_SIZES if size > WORTH_COMPRESSING]
    expected = messages_pb2.BoolValue(value=True)

    def requests() -> Iterator[messages_pb2.StreamingInputCallRequest]:
        for size in sizes:
            yield messages_pb2.StreamingInputCallRequest(payload=payload(size), expect_compressed=expected)

    expect_status(lambda: stub.StreamingInputCall(requests()), grpc.StatusCode.INVALID_ARGUMENT)
    answer = stub.StreamingInputCall(requests(), compression=grpc.Compression.Gzip)
    expect(answer.aggregated_payload_size, sum(sizes))


def server_streaming(stub: Stub) -> None:
    parameters = [messages_pb2.ResponseParameters(size=size) for size in RESPONSE_SIZES]
    answers = stub.StreamingOutputCall(messages_pb2.StreamingOutputCallRequest(response_parameters=parameters))
    expect(tuple(len(answer.payload.body) for answer in answers), RESPONSE_SIZES)


def server_compressed_streaming(stub: Stub) -> None:
    parameters = [
        messages_pb2.ResponseParameters(size=31415, compressed=messages_pb2.BoolValue(value=True)),
        messages_pb2.ResponseParameters(size=92653, compressed=messages_pb2.BoolValue(value=False)),
    ]
    answers = stub.StreamingOutputCall(messages_pb2.StreamingOutputCallRequest(response_parameters=parameters))
    expect([answer.payload.body for answer in answers], [bytes(31415), bytes(92653)])


def ping_pong(stub: Stub) -> None:
    requests = Requests()
    answers = stub.FullDuplexCall(iter(requests))
    for request_size, response_size in zip(REQUEST_SIZES, RESPONSE_SIZES, strict=True):
        requests.send(streamed_request(response_size, request_size))
        expect(len(next(answers).payload.body), response_size)
    requests.close()
    expect(list(answers), [])


def half_duplex(stub: Stub) -> None:
    sizes = list(zip(REQUEST_SIZES, RESPONSE_SIZES, strict=True))
    answers = stub.HalfDuplexCall(streamed_request(response, request) for request, response in sizes)
    expect(tuple(len(answer.payload.body) for answer in answers), RESPONSE_SIZES)


def empty_stream(stub: Stub) -> None:
    expect(list(stub.FullDuplexCall(iter(()))), [])


def custom_metadata(stub: Stub) -> None:
    metadata = ((INITIAL_KEY, INITIAL_VALUE), (TRAILING_KEY, TRAILING_VALUE))
    request = messages_pb2.SimpleRequest(response_size=LARGE_RESPONSE, payload=payload(LARGE_REQUEST))
    _, unary = stub.UnaryCall.with_call(request, metadata=metadata)
    stream = stub.FullDuplexCall(iter([streamed_request(LARGE_RESPONSE, LARGE_REQUEST)]), metadata=metadata)
    expect(len(list(stream)), 1)
    for call in (unary, stream):
        expect(dict(call.initial_metadata()).get(INITIAL_KEY), INITIAL_VALUE)
        expect(dict(call.trailing_metadata()).get(TRAILING_KEY), TRAILING_VALUE)


def status_code_and_message(stub: Stub) -> None:
    status = messages_pb2.EchoStatus(code=2, message="test status message")
    unary = messages_pb2.SimpleRequest(response_status=status)
    expect_status(lambda: stub.UnaryCall(unary), grpc.StatusCode.UNKNOWN, status.message)
    streamed = messages_pb2.StreamingOutputCallRequest(response_status=status)
    expect_status(lambda: list(stub.FullDuplexCall(iter([streamed]))), grpc.StatusCode.UNKNOWN, status.message)


def special_status_message(stub: Stub) -> None:
    message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP \U0001f608\t\n"
    request = messages_pb2.SimpleRequest(response_status=messages_pb2.EchoStatus(code=2, message=message))
    expect_status(lambda: stub.UnaryCall(request), grpc.StatusCode.UNKNOWN, message)


def unimplemented_method(stub: Stub) -> None:
    expect_status(lambda: stub.UnimplementedCall(empty_pb2.Empty()), grpc.StatusCode.UNIMPLEMENTED)


def cancel_after_begin(stub: Stub) -> None:
    requests = Requests()
    call = stub.StreamingInputCall.future(iter(requests))
    call.cancel()
    requests.close()
    expect(call.cancelled(), True)
    expect(call.code(), grpc.StatusCode.CANCELLED)


def cancel_after_first_response(stub: Stub) -> None:
    requests = Requests()
    call = stub.FullDuplexCall(iter(requests))
    requests.send(streamed_request(31415, 27182))
    next(call)
    call.cancel()
    requests.close()
    expect_status(lambda: next(call), grpc.StatusCode.CANCELLED)


def timeout_on_sleeping_server(stub: Stub) -> None:
    requests = Requests()
    requests.send(messages_pb2.StreamingOutputCallRequest(payload=payload(27182)))
    call = stub.FullDuplexCall(iter(requests), timeout=0.001)
    expect_status(lambda: next(call), grpc.StatusCode.DEADLINE_EXCEEDED)
    requests.close()


def rpc_soak(stub: Stub) -> None:
    for _ in range(10):
        large_unary(stub)


def channel_soak(target: Target) -> None:
    for _ in range(10):
        with open_channel(target) as channel:
            large_unary(Stub(channel))


def unimplemented_service(target: Target) -> None:
    with open_channel(target) as channel:
        stub = test_pb2_grpc.UnimplementedServiceStub(channel)
        expect_status(lambda: stub.UnimplementedCall(empty_pb2.Empty()), grpc.StatusCode.UNIMPLEMENTED)


CASES = {
    case.__name__: case
    for case in (
        empty_unary,
        large_unary,
        client_compressed_unary,
        server_compressed_unary,
        client_streaming,
        client_compressed_streaming,
        server_streaming,
        server_compressed_streaming,
        ping_pong,
        half_duplex,
        empty_stream,
        custom_metadata,
        status_code_and_message,
        special_status_message,
        unimplemented_method,
        cancel_after_begin,
        cancel_after_first_response,
        timeout_on_sleeping_server,
        rpc_soak,
    )
}
CASES_WITH_CHANNELS = {case.__name__: case for case in (unimplemented_service, channel_soak)}


def main(name: str, port: str, ca_file: str | None = None) -> None:
    target = Target(f"localhost:{port}", ca_file)
    with_channels = CASES_WITH_CHANNELS.get(name)
    if with_channels is not None:
        with_channels(target)
    else:
        with open_channel(target) as channel:
            CASES[name](Stub(channel))


if __name__ == "__main__":
    main(*sys.argv[2:])
