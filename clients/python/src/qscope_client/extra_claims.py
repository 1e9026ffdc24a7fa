"""Claims of a JWT beyond those that QScope itself writes."""

from collections.abc import Mapping
from typing import Any

#: Names that QScope and the RFCs give a meaning: no claim of an issuer's rule has one of them.
_RESERVED = frozenset(
    {
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "active",
        "scope",
        "client_id",
        "username",
        "token_type",
        "auth_time",
        "acr",
        "amr",
        "azp",
        "nonce",
        "at_hash",
        "c_hash",
        "s_hash",
        "sid",
        "sub_id",
        "act",
        "may_act",
        "cnf",
        "authorization_details",
        "token_introspection",
        "events",
        "txn",
        "tctx",
        "rctx",
        "req_wl",
        "purp",
        "azd",
        "rvk",
        "extra",
        "__proto__",
        "constructor",
        "prototype",
    }
)


def extra_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the rule of a trusted issuer made of the assertion that the token was issued for."""
    return {
        name: value for name, value in claims.items() if name not in _RESERVED and not name.lower().startswith("qscope")
    }
