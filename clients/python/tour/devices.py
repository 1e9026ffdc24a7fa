"""Signs in on a device without a browser (RFC 8628)."""

from collections.abc import Callable
from typing import Any

from qscope.v1.device_service_pb2 import (
    ApproveDeviceAuthorizationRequest,
    DenyDeviceAuthorizationRequest,
    DeviceAuthorizationState,
    GetDeviceAuthorizationRequest,
    RedeemDeviceCodeRequest,
    RedeemDeviceCodeResponse,
    StartDeviceAuthorizationRequest,
    StartDeviceAuthorizationResponse,
    WatchDeviceAuthorizationRequest,
)
from tour.guide import Guide, token_told, user


def visit(guide: Guide) -> None:
    _watch(guide, "device_watch", _approve)
    _watch(guide, "device_denied", _deny)
    _poll(guide)


def start(guide: Guide, step: str) -> StartDeviceAuthorizationResponse:
    request = StartDeviceAuthorizationRequest(client=guide.television.proof(), scopes=["orders.read"])
    return guide.devices.StartDeviceAuthorization(request, **guide.call(step))


def _watch(guide: Guide, step: str, decide: Callable[[Guide, str], None]) -> None:
    """Wait for the decision on a stream; the user decides once it is open."""
    started = start(guide, step)
    request = WatchDeviceAuthorizationRequest(client=guide.television.proof(), device_code=started.device_code)
    states: list[str] = []
    told: dict[str, Any] = {}
    for event in guide.devices.WatchDeviceAuthorization(request, **guide.call(step)):
        states.append(DeviceAuthorizationState.Name(event.state))
        if len(states) == 1:
            decide(guide, started.user_code)
        if event.HasField("token"):
            told = token_told(event.token)
    guide.tell(step, {**told, "states": states, "user_code": started.user_code})


def _approve(guide: Guide, user_code: str) -> None:
    """Play the front end: it shows what is asked for, and the user consents."""
    call = {"credentials": guide.front_end, **guide.call("approve")}
    shown = guide.devices.GetDeviceAuthorization(GetDeviceAuthorizationRequest(user_code=user_code), **call)
    request = ApproveDeviceAuthorizationRequest(
        user_code=user_code, user=user("grace"), scopes=shown.device_authorization.scopes
    )
    guide.devices.ApproveDeviceAuthorization(request, **call)


def _deny(guide: Guide, user_code: str) -> None:
    request = DenyDeviceAuthorizationRequest(user_code=user_code)
    guide.devices.DenyDeviceAuthorization(request, credentials=guide.front_end, **guide.call("deny"))


def _poll(guide: Guide) -> None:
    """Ask for the decision, as clients do that cannot keep a stream open."""
    started = start(guide, "device_poll")
    request = RedeemDeviceCodeRequest(client=guide.television.proof(), device_code=started.device_code)

    def redeem() -> RedeemDeviceCodeResponse:
        return guide.devices.RedeemDeviceCode(request, **guide.call("device_poll"))

    guide.tell_refusal("device_pending", redeem)
    guide.tell_refusal("device_slow_down", redeem)
    _approve(guide, started.user_code)
    guide.tell("device_poll", token_told(redeem().token))
    guide.tell_refusal("device_redeemed", redeem)
