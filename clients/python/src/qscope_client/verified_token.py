"""What a verified access token says, opaque or JWT."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from google.protobuf.json_format import MessageToDict

from qscope.v1.token_pb2 import Actor, SubjectType, TokenClaims
from qscope_client.access_claims import AccessClaims
from qscope_client.extra_claims import extra_claims


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """What an access token says. The times are seconds since 1970."""

    #: Its public handle, for logs and for RevokeTokens.
    token_id: str
    #: The client it was issued to.
    client_id: str
    #: A user's id or, where a client speaks for itself, the client's.
    subject: str
    subject_type: Literal["user", "client"]
    scopes: tuple[str, ...]
    #: Whom it is for; empty: anybody.
    audiences: tuple[str, ...]
    issuer: str
    issue_time: float
    #: From when on it is refused.
    expire_time: float
    #: Who acts for the subject, the latest first (RFC 8693 §4.1).
    actors: tuple[str, ...]
    #: The certificate that it is bound to (``x5t#S256``, RFC 8705 §3.1); ``None``: a plain bearer token. The empty
    #: text is a binding of another kind, which no certificate fits.
    certificate_thumbprint: str | None
    #: Further claims, which the rule of a trusted issuer made of the assertion that the token was issued for: JSON.
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def of_answer(cls, claims: TokenClaims) -> Self:
        """Read what IntrospectToken answered."""
        return cls(
            token_id=claims.token_id,
            client_id=claims.client_id,
            subject=claims.subject,
            subject_type="user" if claims.subject_type == SubjectType.SUBJECT_TYPE_USER else "client",
            scopes=tuple(claims.scopes),
            audiences=tuple(claims.audiences),
            issuer=claims.issuer,
            issue_time=claims.issue_time.seconds,
            expire_time=claims.expire_time.seconds,
            actors=tuple(_actors(claims.actor)) if claims.HasField("actor") else (),
            certificate_thumbprint=claims.confirmation.x5t_s256 if claims.HasField("confirmation") else None,
            extra=MessageToDict(claims.extra),
        )

    @classmethod
    def of_jwt(cls, claims: AccessClaims) -> Self:
        """Read the claims of a JWT."""
        return cls(
            token_id=claims["jti"],
            client_id=claims["client_id"],
            subject=claims["sub"],
            subject_type=claims.subject_type,
            scopes=tuple(claims.scopes),
            audiences=tuple(claims.audiences),
            issuer=claims["iss"],
            issue_time=claims.issue_time,
            expire_time=claims.expire_time,
            actors=tuple(claims.actors),
            certificate_thumbprint=claims.certificate_thumbprint,
            extra=extra_claims(claims),
        )


def _actors(actor: Actor) -> Iterator[str]:
    yield actor.subject
    while actor.HasField("actor"):
        actor = actor.actor
        yield actor.subject
