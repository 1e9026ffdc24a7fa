package internal.qscope.client;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jose4j.jwt.JwtClaims;

/** What a JWT access token says (RFC 9068 §2.2): the claims by their names, and what they mean. */
public final class AccessClaims extends JwtClaims {
  /** Whom a token speaks for. */
  public enum SubjectType {
    /** A user, by the user's id. */
    USER,
    /** A client, by its client id. */
    CLIENT
  }

  /** The form of users' ids, under which no client can be registered. */
  private static final Pattern USER_ID =
      Pattern.compile(
          "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", Pattern.CASE_INSENSITIVE);

  /** RFC 6749 §3.3: names with single spaces between. */
  private static final Pattern SCOPE =
      Pattern.compile("[\\x21\\x23-\\x5b\\x5d-\\x7e]+(?: [\\x21\\x23-\\x5b\\x5d-\\x7e]+)*");

  /** The last of the year 9999, where timestamps end. */
  private static final long LAST_SECOND = 253_402_300_799L;

  private final String tokenId;
  private final String clientId;
  private final String subjectId;
  private final String issuerName;
  private final Instant issueTime;
  private final Instant expireTime;
  private final Instant notBeforeTime;
  private final List<String> audiences;
  private final List<String> scopes;
  private final List<String> actors;
  private final String certificateThumbprint;
  private final Map<String, Object> extra;

  /** Takes claims over that are what RFC 9068 §2.2 and QScope make of them. */
  AccessClaims(Map<String, Object> claims) throws MalformedTokenException {
    tokenId = name(claims, "jti");
    clientId = name(claims, "client_id");
    subjectId = name(claims, "sub");
    issuerName = name(claims, "iss");
    issueTime = seconds(claims, "iat");
    expireTime = seconds(claims, "exp");
    notBeforeTime = claims.containsKey("nbf") ? seconds(claims, "nbf") : null;
    audiences = audiencesIn(claims);
    scopes = claims.containsKey("scope") ? scopesIn(claims) : List.of();
    actors = claims.containsKey("act") ? actorsIn(claims) : List.of();
    certificateThumbprint = claims.containsKey("cnf") ? thumbprintIn(claims) : null;
    extra = ExtraClaims.of(claims);
    claims.forEach(this::setClaim);
  }

  /** Its public handle, for logs and for RevokeTokens. */
  public String tokenId() {
    return tokenId;
  }

  /** The client it was issued to. */
  public String clientId() {
    return clientId;
  }

  /** A user's id or, where a client speaks for itself, the client's. */
  public String subject() {
    return subjectId;
  }

  /** Whether the subject is a user or a client. */
  public SubjectType subjectType() {
    return USER_ID.matcher(subjectId).matches() ? SubjectType.USER : SubjectType.CLIENT;
  }

  /** Whose token it is. */
  public String issuer() {
    return issuerName;
  }

  /** When it was issued. */
  public Instant issueTime() {
    return issueTime;
  }

  /** From when on it is refused. */
  public Instant expireTime() {
    return expireTime;
  }

  Optional<Instant> notBeforeTime() {
    return Optional.ofNullable(notBeforeTime);
  }

  /** Whom it is for. */
  public List<String> audiences() {
    return audiences;
  }

  /** What it permits. */
  public List<String> scopes() {
    return scopes;
  }

  /** Who acts for the subject, the latest first (RFC 8693 §4.1). */
  public List<String> actors() {
    return actors;
  }

  /** The certificate that it is bound to ({@code x5t#S256}, RFC 8705 §3.1); empty for a plain bearer token. */
  public Optional<String> certificateThumbprint() {
    return Optional.ofNullable(certificateThumbprint);
  }

  /**
   * Further claims, which the rule of a trusted issuer made of the assertion that the token was issued for: JSON, its
   * numbers as {@code Double}.
   */
  public Map<String, Object> extra() {
    return extra;
  }

  private static String name(Map<?, ?> claims, String claim) throws MalformedTokenException {
    if (claims.get(claim) instanceof String text && !text.isEmpty()) {
      return text;
    }
    throw wrong(claim);
  }

  /** Whole ones: so QScope writes them. */
  private static Instant seconds(Map<String, Object> claims, String claim) throws MalformedTokenException {
    if (claims.get(claim) instanceof Long seconds && seconds >= 0 && seconds <= LAST_SECOND) {
      return Instant.ofEpochSecond(seconds);
    }
    throw wrong(claim);
  }

  private static List<String> audiencesIn(Map<String, Object> claims) throws MalformedTokenException {
    if (!(claims.get("aud") instanceof List<?> listed)) {
      return List.of(name(claims, "aud"));
    }
    var audiences = new ArrayList<String>();
    for (var item : listed) {
      if (!(item instanceof String audience) || audience.isEmpty()) {
        throw wrong("aud");
      }
      audiences.add(audience);
    }
    if (audiences.isEmpty()) {
      throw wrong("aud");
    }
    return List.copyOf(audiences);
  }

  private static List<String> scopesIn(Map<String, Object> claims) throws MalformedTokenException {
    var scope = name(claims, "scope");
    if (!SCOPE.matcher(scope).matches()) {
      throw wrong("scope");
    }
    return List.of(scope.split(" "));
  }

  /** Who acts now, then who acted before. */
  private static List<String> actorsIn(Map<?, ?> claims) throws MalformedTokenException {
    var actors = new ArrayList<String>();
    Map<?, ?> outer = claims;
    while (outer.containsKey("act")) {
      if (!(outer.get("act") instanceof Map<?, ?> actor)) {
        throw wrong("act");
      }
      if (!(actor.get("sub") instanceof String subject) || subject.isEmpty()) {
        throw wrong("act");
      }
      actors.add(subject);
      outer = actor;
    }
    return List.copyOf(actors);
  }

  /** Nobody holds what is bound in a way that cannot be judged here (RFC 7800 §3.1). */
  private static String thumbprintIn(Map<String, Object> claims) throws MalformedTokenException {
    if (claims.get("cnf") instanceof Map<?, ?> confirmation
        && confirmation.size() == 1
        && confirmation.get("x5t#S256") instanceof String thumbprint
        && !thumbprint.isEmpty()) {
      return thumbprint;
    }
    throw wrong("cnf");
  }

  private static MalformedTokenException wrong(String claim) {
    return new MalformedTokenException("the claim " + claim + " is missing or malformed");
  }
}
