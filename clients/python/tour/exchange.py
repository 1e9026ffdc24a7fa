"""Trades tokens and assertions for tokens of one's own."""

from qscope.v1.token_service_pb2 import (
    ExchangeAssertionRequest,
    ExchangeAssertionResponse,
    ExchangeTokenRequest,
    ExchangeTokenResponse,
    IntrospectTokenRequest,
)
from tour.codes import sign_in
from tour.guide import Guide, claims_told, token_told
from tour.tampering import tampered

_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name


def visit(guide: Guide) -> None:
    _exchange_token(guide)
    _exchange_assertion(guide)


def _exchange_token(guide: Guide) -> None:
    """Call the next service on the user's behalf (RFC 8693)."""
    signed_in = sign_in(guide)

    def exchange(subject_token: str) -> ExchangeTokenResponse:
        request = ExchangeTokenRequest(
            client=guide.warehouse.proof(),
            subject_token=subject_token,
            subject_token_type=_ACCESS_TOKEN,
            scopes=["orders.read"],
            audiences=[guide.billing_audience],
        )
        return guide.tokens.ExchangeToken(request, **guide.call("exchange"))

    issued = exchange(signed_in.access_token).token
    look = IntrospectTokenRequest(client=guide.warehouse.proof(), token=issued.access_token)
    claims = guide.tokens.IntrospectToken(look, **guide.call("exchange")).claims
    guide.tell("exchange", {**claims_told(claims), "issued_token_type": issued.issued_token_type})
    guide.tell_refusal("exchange_refused", lambda: exchange(signed_in.refresh_token))


def _exchange_assertion(guide: Guide) -> None:
    """Obtain a token on the word of the platform (RFC 7523 §2.1)."""

    def exchange(assertion: str) -> ExchangeAssertionResponse:
        request = ExchangeAssertionRequest(assertion=assertion)
        return guide.tokens.ExchangeAssertion(request, **guide.call("assertion"))

    guide.tell("assertion", token_told(exchange(guide.assertion).token))
    guide.tell_refusal("assertion_refused", lambda: exchange(tampered(guide.assertion)))
