"""Reads what platform engineers read, with a bearer token."""

from typing import Any

from qscope.v1.client_pb2 import ClientType
from qscope.v1.client_service_pb2 import GetClientRequest, GetClientResponse
from qscope.v1.token_service_pb2 import ListTokensRequest
from tour.guide import Guide


def visit(guide: Guide) -> None:
    def get(client_id: str, **how: Any) -> GetClientResponse:  # noqa: ANN401 - whatever a call may be given
        return guide.clients.GetClient(GetClientRequest(client_id=client_id), **how, **guide.call("manage"))

    orders = guide.orders.client_id
    client = get(orders, credentials=guide.operator).client
    guide.tell(
        "get_client",
        {"client_id": client.client_id, "type": ClientType.Name(client.type), "scopes": list(client.scopes)},
    )
    guide.tell_refusal("not_found", lambda: get("nobody", credentials=guide.operator))
    guide.tell_refusal("no_permission", lambda: get(orders, credentials=guide.front_end))
    guide.tell_refusal("no_bearer", lambda: get(orders))
    _list_tokens(guide)


def _list_tokens(guide: Guide) -> None:
    """Walk through all pages."""
    ids: list[str] = []
    pages = 0
    request = ListTokensRequest(client_id=guide.orders.client_id, page_size=2)
    while pages == 0 or request.page_token:
        page = guide.tokens.ListTokens(request, credentials=guide.operator, **guide.call("manage"))
        pages += 1
        ids += [token.token_id for token in page.tokens]
        request.page_token = page.next_page_token
    guide.tell("list_tokens", {"token_ids": ids, "pages": pages})
