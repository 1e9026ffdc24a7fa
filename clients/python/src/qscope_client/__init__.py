"""What a Python program needs beside the generated stubs to call QScope."""

from qscope_client.access_claims import AccessClaims
from qscope_client.async_verifier import AsyncVerifier, TokenVerifier
from qscope_client.authentication import with_assertion_file, with_secret, without_secret
from qscope_client.bearer_token import bearer_token
from qscope_client.caching_verifier import CacheLimits, CachingVerifier, VerifierClosedError
from qscope_client.connection import connect, tls
from qscope_client.federated_token_source import federated_token_source
from qscope_client.guard import AioGuard, Guard, GuardRules, MethodRule, admitted_token
from qscope_client.jwt_verifier import InsufficientScopeError, InvalidTokenError, JwtVerifier, certificate_thumbprint
from qscope_client.online_verifier import OnlineVerifier
from qscope_client.pkce import Pkce
from qscope_client.refusal import Refusal
from qscope_client.remedy import Remedy
from qscope_client.resource_server import ResourceServer
from qscope_client.token_source import TokenSource
from qscope_client.verified_token import VerifiedToken

__all__ = [
    "AccessClaims",
    "AioGuard",
    "AsyncVerifier",
    "CacheLimits",
    "CachingVerifier",
    "Guard",
    "GuardRules",
    "InsufficientScopeError",
    "InvalidTokenError",
    "JwtVerifier",
    "MethodRule",
    "OnlineVerifier",
    "Pkce",
    "Refusal",
    "Remedy",
    "ResourceServer",
    "TokenSource",
    "TokenVerifier",
    "VerifiedToken",
    "VerifierClosedError",
    "admitted_token",
    "bearer_token",
    "certificate_thumbprint",
    "connect",
    "federated_token_source",
    "tls",
    "with_assertion_file",
    "with_secret",
    "without_secret",
]
