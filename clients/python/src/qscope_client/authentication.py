"""How a client proves itself in a request."""

from qscope.v1.client_authentication_pb2 import ClientAuthentication


def with_secret(client_id: str, secret: str) -> ClientAuthentication:
    """Prove a confidential client by its secret."""
    return ClientAuthentication(client_id=client_id, client_secret=secret)


def without_secret(client_id: str) -> ClientAuthentication:
    """Name a public client, or one that is proved by the certificate of its connection."""
    return ClientAuthentication(client_id=client_id)
