"""Obtains tokens for the client itself."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from qscope.v1.token_pb2 import IssuedToken
from qscope.v1.token_service_pb2 import BatchMintTokensItem, BatchMintTokensRequest, MintTokenRequest
from qscope_client import Refusal, TokenSource, federated_token_source
from tour.guide import PATIENCE, Guide, refusal_told, seconds, token_told

_CALLERS = 50


def visit(guide: Guide) -> None:
    _mint_once_for_many(guide)
    _renew(guide)
    _federate(guide)
    _mint_batch(guide)


def _mint_once_for_many(guide: Guide) -> None:
    """Ask one source from many threads at once."""
    request = MintTokenRequest(
        client=guide.orders.proof(),
        scopes=["orders.read"],
        audiences=[guide.warehouse_audience],
        lifetime=seconds(300),
    )

    def mint() -> IssuedToken:
        return guide.tokens.MintToken(request, **guide.call("reuse")).token

    source = TokenSource(mint)
    with ThreadPoolExecutor(_CALLERS) as callers:
        got = list(callers.map(lambda _: source.token(PATIENCE), range(_CALLERS)))
    different = {token.token_id for token in got}
    guide.tell("reuse", {**token_told(got[0]), "callers": len(got), "different_tokens": len(different)})


def _renew(guide: Guide) -> None:
    """Use a source for longer than its first token lives."""
    request = MintTokenRequest(client=guide.orders.proof(), lifetime=seconds(2))
    source = TokenSource(lambda: guide.tokens.MintToken(request, timeout=PATIENCE).token)
    first = source.token(PATIENCE)
    time.sleep(2)
    second = source.token(PATIENCE)
    guide.tell("renewal", {"token_ids": [first.token_id, second.token_id]})


def _federate(guide: Guide) -> None:
    """Use a source for longer than its first token lives, while the platform replaces its own."""
    workload = guide.workload
    request = MintTokenRequest(lifetime=seconds(2))
    source = federated_token_source(guide.tokens, workload.client_id, workload.assertion_file, request)
    first = source.token(PATIENCE)
    Path(workload.assertion_file).write_text(f"{workload.next_assertion}\n", encoding="utf-8")
    time.sleep(2)
    second = source.token(PATIENCE)
    guide.tell("federated_renewal", {"token_ids": [first.token_id, second.token_id]})


def _mint_batch(guide: Guide) -> None:
    """Ask for several tokens, one of which the client may not have."""
    wanted = ["orders.read", "orders.burn", "orders.write"]
    request = BatchMintTokensRequest(
        client=guide.orders.proof(), requests=[BatchMintTokensItem(scopes=[scope]) for scope in wanted]
    )
    answer = guide.tokens.BatchMintTokens(request, **guide.call("batch_mint"))
    results = [
        token_told(result.token) if result.HasField("token") else refusal_told(Refusal.of_status(result.status))
        for result in answer.results
    ]
    guide.tell("batch_mint", {"results": results})
