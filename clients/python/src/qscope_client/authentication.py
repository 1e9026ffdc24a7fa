"""How a client proves itself in a request."""

from pathlib import Path

from qscope.v1.client_authentication_pb2 import ClientAuthentication


def with_secret(client_id: str, secret: str) -> ClientAuthentication:
    """Prove a confidential client by its secret."""
    return ClientAuthentication(client_id=client_id, client_secret=secret)


def without_secret(client_id: str) -> ClientAuthentication:
    """Name a public client, or one that is proved by the certificate of its connection."""
    return ClientAuthentication(client_id=client_id)


def with_assertion_file(client_id: str, path: str | Path) -> ClientAuthentication:
    """Prove a FEDERATED_JWT client by the token that its platform puts into a file (RFC 7523 §2.2).

    The platform replaces it before it ends: call this for each call, as ``federated_token_source`` does.
    """
    assertion = Path(path).read_text(encoding="utf-8").strip()
    return ClientAuthentication(client_id=client_id, client_assertion=assertion)
