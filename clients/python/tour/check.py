"""What a resource server does with the tokens that it is handed."""

from qscope.v1.token_service_pb2 import (
    BatchIntrospectTokensRequest,
    IntrospectTokenRequest,
    MintTokenRequest,
    VerifyTokenRequest,
    VerifyTokenResponse,
)
from tour.guide import NOBODYS, Guide, claims_told


def visit(guide: Guide) -> None:
    request = MintTokenRequest(
        client=guide.orders.proof(), scopes=["orders.read"], audiences=[guide.warehouse_audience]
    )
    token = guide.tokens.MintToken(request, **guide.call("mint")).token.access_token

    def verify(step: str, presented: str, *scopes: str) -> VerifyTokenResponse:
        wanted = VerifyTokenRequest(
            client=guide.warehouse.proof(), token=presented, required_scopes=scopes, audience=guide.warehouse_audience
        )
        return guide.tokens.VerifyToken(wanted, **guide.call(step))

    guide.tell("verify", claims_told(verify("verify", token, "orders.read").claims))
    guide.tell_refusal("verify_unknown", lambda: verify("verify_unknown", NOBODYS))
    guide.tell_refusal("verify_scope", lambda: verify("verify_scope", token, "orders.read", "orders.write"))
    _introspect(guide, token)


def _introspect(guide: Guide, token: str) -> None:
    one = IntrospectTokenRequest(client=guide.warehouse.proof(), token=token)
    answer = guide.tokens.IntrospectToken(one, **guide.call("introspect"))
    guide.tell("introspect", {**claims_told(answer.claims), "active": answer.active})
    several = BatchIntrospectTokensRequest(client=guide.warehouse.proof(), tokens=[token, NOBODYS, token])
    answers = guide.tokens.BatchIntrospectTokens(several, **guide.call("introspect"))
    guide.tell("batch_introspect", {"active": [result.active for result in answers.results]})
