"""Ends a token of one's own (RFC 7009)."""

from qscope.v1.token_service_pb2 import MintTokenRequest, RevokeTokenRequest
from tour.guide import NOBODYS, Guide, Registered


def visit(guide: Guide) -> None:
    request = MintTokenRequest(client=guide.orders.proof())
    token = guide.tokens.MintToken(request, **guide.call("mint")).token.access_token

    def revoke(client: Registered, presented: str) -> None:
        guide.tokens.RevokeToken(RevokeTokenRequest(client=client.proof(), token=presented), **guide.call("revoke"))

    guide.tell_refusal("revoke_foreign", lambda: revoke(guide.warehouse, token))
    before = guide.is_active(guide.orders, token)
    revoke(guide.orders, token)
    after = guide.is_active(guide.orders, token)
    # Once more, and one that is nobody's: both are ended already.
    revoke(guide.orders, token)
    revoke(guide.orders, NOBODYS)
    guide.tell("revoke", {"before": before, "after": after})
