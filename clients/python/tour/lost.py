"""Calls where the first answer to each method gets lost on its way."""

from typing import Any

import grpc

from qscope.v1.token_service_pb2 import MintTokenRequest, RefreshTokenRequest
from qscope.v1.token_service_pb2_grpc import TokenServiceStub
from qscope_client import Refusal, connect
from tour.codes import sign_in
from tour.guide import Guide, refusal_told, token_told


def visit(guide: Guide) -> None:
    refresh_token = sign_in(guide).refresh_token
    with connect(guide.lossy_address, None) as channel:
        tokens = TokenServiceStub(channel)
        # The library sends it again by itself.
        minted = tokens.MintToken(MintTokenRequest(client=guide.orders.proof()), **guide.call("lost"))
        guide.tell("mint_lost", token_told(minted.token))

        # Not this one: it is repeated here, once, because the replay window makes that safe.
        request = RefreshTokenRequest(client=guide.shop.proof(), refresh_token=refresh_token)
        told: dict[str, Any] = {}
        try:
            refreshed = tokens.RefreshToken(request, **guide.call("lost"))
        except grpc.RpcError as error:
            first = Refusal.of(error)
            if first.status != "UNAVAILABLE":
                raise
            told["first"] = refusal_told(first)
            refreshed = tokens.RefreshToken(request, **guide.call("lost"))
        guide.tell("refresh_lost", {**token_told(refreshed.token), **told})
