"""Signs users in (RFC 6749 §4.1, RFC 7636)."""

from qscope.v1.token_pb2 import IssuedToken
from qscope.v1.token_service_pb2 import (
    CodeChallengeMethod,
    CreateAuthorizationCodeRequest,
    ExchangeAuthorizationCodeRequest,
)
from qscope_client import Pkce
from tour.guide import Guide, token_told, user


def visit(guide: Guide) -> None:
    pkce = Pkce.draw()
    code = _consent(guide, pkce)
    guide.tell_refusal("code_verifier", lambda: _exchange(guide, "code_verifier", code, Pkce.draw().verifier))
    token = _exchange(guide, "code", code, pkce.verifier)
    guide.tell("code", token_told(token))
    guide.tell_refusal("code_reuse", lambda: _exchange(guide, "code_reuse", code, pkce.verifier))
    guide.tell("code_reused", {"active": guide.is_active(guide.shop, token.access_token)})


def sign_in(guide: Guide) -> IssuedToken:
    """Both parts, for a later stop."""
    pkce = Pkce.draw()
    return _exchange(guide, "sign_in", _consent(guide, pkce), pkce.verifier)


def _consent(guide: Guide, pkce: Pkce) -> str:
    """Play the front end: it has logged a user in, who consented."""
    request = CreateAuthorizationCodeRequest(
        client_id=guide.shop.client_id,
        user=user("ada"),
        redirect_uri=guide.shop.redirect_uri,
        scopes=["orders.read", "orders.write"],
        audiences=[guide.warehouse_audience],
        code_challenge=pkce.challenge,
        code_challenge_method=CodeChallengeMethod.CODE_CHALLENGE_METHOD_S256,
    )
    call = guide.call("consent")
    return str(guide.tokens.CreateAuthorizationCode(request, credentials=guide.front_end, **call).code)


def _exchange(guide: Guide, step: str, code: str, verifier: str) -> IssuedToken:
    request = ExchangeAuthorizationCodeRequest(
        client=guide.shop.proof(), code=code, redirect_uri=guide.shop.redirect_uri, code_verifier=verifier
    )
    return guide.tokens.ExchangeAuthorizationCode(request, **guide.call(step)).token
