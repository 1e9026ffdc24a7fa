"""Verifies a JWT access token with the server's key set (RFC 9068 §4)."""

from qscope.v1.token_service_pb2 import MintTokenRequest
from qscope_client import InvalidTokenError, JwtVerifier
from tour.guide import Guide
from tour.tampering import tampered


def visit(guide: Guide) -> None:
    request = MintTokenRequest(client=guide.reports.proof(), audiences=[guide.warehouse_audience])
    token = guide.tokens.MintToken(request, **guide.call("mint")).token.access_token
    verifier = JwtVerifier(guide.tokens, guide.issuer, guide.warehouse_audience)
    claims = verifier.verify(token)
    told = {
        "access_token": token,
        "issuer": claims["iss"],
        "subject": claims["sub"],
        "client_id": claims["client_id"],
        "scope": claims["scope"],
        "token_id": claims["jti"],
        "audiences": [claims["aud"]] if isinstance(claims["aud"], str) else claims["aud"],
    }
    guide.tell("offline", told)

    presented = {
        "tampered": (verifier, tampered(token)),
        "foreign_issuer": (JwtVerifier(guide.tokens, "https://elsewhere.example", guide.warehouse_audience), token),
        "foreign_audience": (JwtVerifier(guide.tokens, guide.issuer, guide.billing_audience), token),
    }
    refused = []
    for name, (judge, text) in presented.items():
        try:
            judge.verify(text)
        except InvalidTokenError:
            refused.append(name)
    guide.tell("offline_refused", {"refused": refused})
