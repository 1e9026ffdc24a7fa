"""What a JWT access token says (RFC 9068 §2.2)."""

import re
from typing import Any, Literal, NoReturn

from qscope_client.signed_token import MalformedTokenError

#: The form of users' ids, under which no client can be registered.
_USER_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
#: RFC 6749 §3.3: names with single spaces between.
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")
#: The last of the year 9999, where timestamps end.
_LAST_SECOND = 253_402_300_799


class AccessClaims(dict[str, Any]):
    """The claims by their names, and what they mean."""

    def __init__(self, claims: dict[str, Any]) -> None:
        """Take claims over that are what RFC 9068 §2.2 and QScope make of them; raise ``ValueError`` for others."""
        super().__init__(claims)
        for name in ("iss", "sub", "client_id", "jti"):
            _name(claims.get(name), name)
        #: Seconds since 1970.
        self.issue_time = _seconds(claims.get("iat"), "iat")
        self.expire_time = _seconds(claims.get("exp"), "exp")
        self.not_before = _seconds(claims["nbf"], "nbf") if "nbf" in claims else None
        self.audiences = _audiences(claims.get("aud"))
        self.scopes = _scopes(claims["scope"]) if "scope" in claims else []
        #: Who acts for the subject, the latest first (RFC 8693 §4.1).
        self.actors = _actors(claims["act"]) if "act" in claims else []
        #: The certificate that the token is bound to (``x5t#S256``, RFC 8705 §3.1); ``None``: a plain bearer token.
        self.certificate_thumbprint = _thumbprint(claims["cnf"]) if "cnf" in claims else None

    @property
    def subject_type(self) -> Literal["user", "client"]:
        """Whether ``sub`` is a user or a client."""
        return "client" if _USER_ID.fullmatch(self["sub"]) is None else "user"


def _name(value: object, claim: str) -> str:
    if not isinstance(value, str) or value == "":
        _refuse(claim)
    return value


def _seconds(value: object, claim: str) -> int:
    """Whole ones: so QScope writes them."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST_SECOND:
        _refuse(claim)
    if value != int(value):
        _refuse(claim)
    return int(value)


def _audiences(aud: object) -> list[str]:
    listed = aud if isinstance(aud, list) else [aud]
    if listed == []:
        _refuse("aud")
    return [_name(audience, "aud") for audience in listed]


def _scopes(scope: object) -> list[str]:
    if not isinstance(scope, str) or _SCOPE.fullmatch(scope) is None:
        _refuse("scope")
    return scope.split(" ")


def _actors(act: object) -> list[str]:
    """Who acts now, then who acted before."""
    if not isinstance(act, dict):
        _refuse("act")
    actor = _name(act.get("sub"), "act")
    return [actor, *(_actors(act["act"]) if "act" in act else [])]


def _thumbprint(cnf: object) -> str:
    """Nobody holds what is bound in a way that cannot be judged here (RFC 7800 §3.1)."""
    if not isinstance(cnf, dict) or len(cnf) != 1:
        _refuse("cnf")
    return _name(cnf.get("x5t#S256"), "cnf")


def _refuse(claim: str) -> NoReturn:
    message = f"the claim {claim} is missing or malformed"
    raise MalformedTokenError(message)
