"""Rotates a refresh token, repeats a call, and shows what reuse does (RFC 6749 §6, RFC 9700 §4.14)."""

from qscope.v1.token_pb2 import IssuedToken
from qscope.v1.token_service_pb2 import RefreshTokenRequest
from tour.codes import sign_in
from tour.guide import Guide, token_told


def visit(guide: Guide) -> None:
    first = sign_in(guide).refresh_token
    second = _refresh(guide, "refresh", first)
    guide.tell("refresh", token_told(second))
    guide.tell("refresh_replay", token_told(_refresh(guide, "refresh_replay", first)))
    narrowed = _refresh(guide, "refresh_narrowed", second.refresh_token, "orders.read")
    guide.tell("refresh_narrowed", token_told(narrowed))
    # Its successor is spent by now: whoever shows this one is not who got that.
    guide.tell_refusal("refresh_reuse", lambda: _refresh(guide, "refresh_reuse", first))
    guide.tell("refresh_reused", {"active": guide.is_active(guide.shop, narrowed.access_token)})


def _refresh(guide: Guide, step: str, refresh_token: str, *scopes: str) -> IssuedToken:
    request = RefreshTokenRequest(client=guide.shop.proof(), refresh_token=refresh_token, scopes=scopes)
    return guide.tokens.RefreshToken(request, **guide.call(step)).token
