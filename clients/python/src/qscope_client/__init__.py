"""What a Python program needs beside the generated stubs to call QScope."""

from qscope_client.access_claims import AccessClaims
from qscope_client.authentication import with_secret, without_secret
from qscope_client.bearer_token import bearer_token
from qscope_client.connection import connect, tls
from qscope_client.jwt_verifier import InsufficientScopeError, InvalidTokenError, JwtVerifier, certificate_thumbprint
from qscope_client.pkce import Pkce
from qscope_client.refusal import Refusal
from qscope_client.remedy import Remedy
from qscope_client.token_source import TokenSource

__all__ = [
    "AccessClaims",
    "InsufficientScopeError",
    "InvalidTokenError",
    "JwtVerifier",
    "Pkce",
    "Refusal",
    "Remedy",
    "TokenSource",
    "bearer_token",
    "certificate_thumbprint",
    "connect",
    "tls",
    "with_secret",
    "without_secret",
]
