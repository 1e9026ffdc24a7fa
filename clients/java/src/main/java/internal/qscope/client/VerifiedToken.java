package internal.qscope.client;

import internal.qscope.v1.Actor;
import internal.qscope.v1.TokenClaims;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a verified access token says, opaque or JWT.
 *
 * @param tokenId its public handle, for logs and for RevokeTokens
 * @param clientId the client it was issued to
 * @param subject a user's id or, where a client speaks for itself, the client's
 * @param audiences whom it is for; empty: anybody
 * @param expireTime from when on it is refused
 * @param actors who acts for the subject, the latest first (RFC 8693 §4.1)
 * @param certificateThumbprint of the certificate that it is bound to ({@code x5t#S256}, RFC 8705 §3.1); empty: a plain
 *     bearer token. The empty text is a binding of another kind, which no certificate fits.
 * @param extra further claims, which the rule of a trusted issuer made of the assertion that the token was issued for:
 *     JSON, its numbers as {@code Double}; empty: none
 */
public record VerifiedToken(
    String tokenId,
    String clientId,
    String subject,
    AccessClaims.SubjectType subjectType,
    List<String> scopes,
    List<String> audiences,
    String issuer,
    Instant issueTime,
    Instant expireTime,
    List<String> actors,
    Optional<String> certificateThumbprint,
    Map<String, Object> extra) {
  public VerifiedToken {
    scopes = List.copyOf(scopes);
    audiences = List.copyOf(audiences);
    actors = List.copyOf(actors);
  }

  /** Reads what VerifyToken answered. */
  static VerifiedToken of(TokenClaims claims) {
    return new VerifiedToken(
        claims.getTokenId(),
        claims.getClientId(),
        claims.getSubject(),
        switch (claims.getSubjectType()) {
          case SUBJECT_TYPE_USER -> AccessClaims.SubjectType.USER;
          default -> AccessClaims.SubjectType.CLIENT;
        },
        claims.getScopesList(),
        claims.getAudiencesList(),
        claims.getIssuer(),
        Instant.ofEpochSecond(claims.getIssueTime().getSeconds()),
        Instant.ofEpochSecond(claims.getExpireTime().getSeconds()),
        claims.hasActor() ? actorsIn(claims.getActor()) : List.of(),
        claims.hasConfirmation() ? Optional.of(claims.getConfirmation().getX5TS256()) : Optional.empty(),
        ExtraClaims.of(claims.getExtra()));
  }

  /** Reads the claims of a JWT. */
  static VerifiedToken of(AccessClaims claims) {
    return new VerifiedToken(
        claims.tokenId(),
        claims.clientId(),
        claims.subject(),
        claims.subjectType(),
        claims.scopes(),
        claims.audiences(),
        claims.issuer(),
        claims.issueTime(),
        claims.expireTime(),
        claims.actors(),
        claims.certificateThumbprint(),
        claims.extra());
  }

  private static List<String> actorsIn(Actor outermost) {
    var actors = new ArrayList<String>();
    for (var actor = outermost; ; actor = actor.getActor()) {
      actors.add(actor.getSubject());
      if (!actor.hasActor()) {
        return actors;
      }
    }
  }
}
