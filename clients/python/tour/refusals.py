"""Provokes what a program has to cope with."""

from functools import partial

import grpc

from qscope.v1.device_service_pb2 import WatchDeviceAuthorizationRequest
from qscope.v1.token_service_pb2 import GetJsonWebKeySetRequest, MintTokenRequest
from qscope_client import with_secret
from tour.devices import start
from tour.guide import Guide, seconds


def visit(guide: Guide) -> None:
    _wrong_secret(guide)
    orders = guide.orders.proof()
    wrong = {
        "bad_lifetime": MintTokenRequest(client=orders, lifetime=seconds(172_800)),
        "bad_scope": MintTokenRequest(client=orders, scopes=["orders.read", "orders.burn"]),
        "bad_audience": MintTokenRequest(client=orders, audiences=["https://elsewhere.example"]),
        "bad_grant": MintTokenRequest(client=guide.shop.proof()),
    }
    for step, request in wrong.items():
        guide.tell_refusal(step, partial(guide.tokens.MintToken, request, **guide.call(step)))
    # Over before it begins: a millisecond, the least that is sent, may be enough for an answer.
    guide.tell_refusal("deadline", lambda: guide.tokens.GetJsonWebKeySet(GetJsonWebKeySetRequest(), timeout=-1))
    _cancelled(guide)


def _wrong_secret(guide: Guide) -> None:
    """Read the ray id in the answer's header, too."""
    request = MintTokenRequest(client=with_secret(guide.orders.client_id, guide.warehouse.client_secret))
    call = guide.tokens.MintToken.future(request, **guide.call("wrong_secret"))
    guide.tell_refusal("wrong_secret", call.result)
    guide.tell("header", {"x_ray_id": [value for key, value in call.initial_metadata() if key == "x-ray-id"]})


def _cancelled(guide: Guide) -> None:
    """Stop watching before anybody has decided."""
    started = start(guide, "cancelled")
    request = WatchDeviceAuthorizationRequest(client=guide.television.proof(), device_code=started.device_code)
    stream: grpc.Call = guide.devices.WatchDeviceAuthorization(request, **guide.call("cancelled"))
    next(stream)
    stream.cancel()
    guide.tell_refusal("cancelled", lambda: next(stream))
