"""A connection with the published retry policy."""

from importlib.resources import files

import grpc

from qscope_client.loopback import is_loopback

_SERVICE_CONFIG = files(__package__).joinpath("service-config.json").read_text("utf-8")

_OPTIONS = (
    ("grpc.service_config", _SERVICE_CONFIG),
    # Finds out that a watched server is gone, where no packet would tell.
    ("grpc.keepalive_time_ms", 300_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


def connect(target: str, credentials: grpc.ChannelCredentials | None, *, allow_plaintext: bool = False) -> grpc.Channel:
    """
    Return a connection to QScope at an address such as ``dns:///qscope.internal:50051``.

    It is made once and shared by all threads. Calls are spread over all addresses of the name; look-ups and minting are
    sent again by the library while the server is away, whatever spends a code or a refresh token is not.

    Without credentials it is plaintext, to a loopback address or a Unix socket only: elsewhere anybody could read the
    secrets and tokens of the calls and put in keys of their own. ``allow_plaintext`` lets it leave this machine, inside
    a mesh that encrypts.
    """
    if credentials is None:
        if allow_plaintext:
            return grpc.insecure_channel(target, _OPTIONS)
        if not is_loopback(target):
            message = f"{target} is not on this machine: secrets do not go there in plaintext (or say allow_plaintext)"
            raise ValueError(message)
        # A proxy of the environment would carry plaintext off this machine.
        return grpc.insecure_channel(target, (*_OPTIONS, ("grpc.enable_http_proxy", 0)))
    return grpc.secure_channel(target, credentials, _OPTIONS)


def tls(
    ca: bytes | None = None, certificate: bytes | None = None, private_key: bytes | None = None
) -> grpc.ChannelCredentials:
    """
    Trust a CA, or those of gRPC's own list, and show a certificate if one is given; all in PEM.

    Connections share their sockets by what they are made of; those with different certificates never do.
    """
    return grpc.ssl_channel_credentials(ca, private_key, certificate)
