"""What a token has to be at one use."""

from collections.abc import Iterable

from jwt.exceptions import InvalidTokenError

from qscope_client.jwt_verifier import InsufficientScopeError
from qscope_client.verified_token import VerifiedToken

#: QScope's bound: what is longer was not issued by it.
_LONGEST_TOKEN = 8_192


def check_spelling(token: str) -> None:
    """Raise ``InvalidTokenError`` for what no token is written like."""
    if not 0 < len(token) <= _LONGEST_TOKEN or not token.isascii():
        message = "no token is written so"
        raise InvalidTokenError(message)


def judge_use(
    verified: VerifiedToken, *, audience: str | None, certificate_thumbprint: str | None, required_scopes: Iterable[str]
) -> VerifiedToken:
    """Return the token where it may be used so; raise ``InvalidTokenError`` or ``InsufficientScopeError``."""
    if audience is not None and audience not in verified.audiences:
        message = "it is for another audience"
        raise InvalidTokenError(message)
    bound = verified.certificate_thumbprint
    if bound is not None and bound != certificate_thumbprint:
        message = "it is bound to a certificate that was not shown"
        raise InvalidTokenError(message)
    for scope in required_scopes:
        if scope not in verified.scopes:
            message = f"the token lacks {scope}"
            raise InsufficientScopeError(message)
    return verified
