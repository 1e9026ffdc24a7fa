package internal.qscope.client;

import internal.qscope.v1.TokenClaims;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Verifies access tokens from memory, and asks the server again once it tells that one may have been revoked.
 *
 * <p>A token that was revoked is refused {@link CacheLimits#bound} later at the latest, and usually after a
 * tenth of a second. Where the server's revocations are not known up to then, every token is verified online; without a
 * server that throws {@link StatusRuntimeException}. Safe for any number of threads; made once for each credential.
 */
public final class CachingVerifier implements TokenVerifier, AutoCloseable {

  private final ResourceServer server;
  private final JwtReader jwts;
  private final boolean isOffline;
  private final Supplier<Moment> clock;
  private final KeptAnswers answers;
  private final RevocationLog log;
  private final RevocationPoller poller;

  /** Guarded by itself. */
  private final Map<Question, PendingCall> pendingCalls = new HashMap<>();

  private volatile boolean isClosed;

  private record Question(TokenDigest token, Optional<String> certificateThumbprint) {}

  /** One call about a token that has no answer yet, sent when a number of tellings was noted. */
  private static final class PendingCall extends CompletableFuture<VerifiedToken> {
    final long noted;

    PendingCall(long noted) {
      this.noted = noted;
    }
  }

  /** How a verifier is made; see {@link CachingVerifier#of}. */
  public static final class Builder {
    private final ResourceServer server;
    private Optional<String> issuer = Optional.empty();
    private CacheLimits limits = CacheLimits.usual();
    private Consumer<Exception> onPollFailure = RevocationPoller::warn;
    private Supplier<Moment> clock = Moment::now;
    private RevocationPoller.Pauses pauses = RevocationPoller.Pauses.usual();

    private Builder(ResourceServer server) {
      this.server = server;
    }

    /** Verifies JWTs of this issuer, to the letter, offline; without, each token is asked about once. */
    public Builder offline(String issuer) {
      this.issuer = Optional.of(issuer);
      return this;
    }

    /** Bounds the memory; {@link CacheLimits#usual} unless given. */
    public Builder limits(CacheLimits limits) {
      this.limits = limits;
      return this;
    }

    /** Is told of each poll that fails, on the polling thread; it is logged unless given. */
    public Builder onPollFailure(Consumer<Exception> onPollFailure) {
      this.onPollFailure = onPollFailure;
      return this;
    }

    Builder clock(Supplier<Moment> clock, RevocationPoller.Pauses pauses) {
      this.clock = clock;
      this.pauses = pauses;
      return this;
    }

    /** Starts to follow the server's revocations; the verifier has to be closed. */
    public CachingVerifier start() {
      return new CachingVerifier(this);
    }
  }

  /** Makes a verifier whose calls are a resource server's own. */
  public static Builder of(ResourceServer server) {
    return new Builder(server);
  }

  private CachingVerifier(Builder wanted) {
    server = wanted.server;
    clock = wanted.clock;
    jwts = new JwtReader(new KeySet(server.tokens, clock), wanted.issuer.orElse(""));
    isOffline = wanted.issuer.isPresent();
    answers = new KeptAnswers(wanted.limits.maxAnswers());
    log = new RevocationLog(answers, isOffline, wanted.limits);
    poller =
        new RevocationPoller(server, log, clock, wanted.limits.bound(), wanted.onPollFailure, wanted.pauses);
  }

  /**
   * Returns what a valid token says that permits what it has to.
   *
   * @param audience the one that the token must be for; empty: tokens for anybody are taken
   * @throws VerifierClosedException once it was closed
   * @throws StatusRuntimeException if the server had to be asked, and could not be: nothing is known of the token, and
   *     it is not to be accepted
   */
  @Override
  public VerifiedToken verify(PresentedToken presented, Optional<String> audience)
      throws InvalidTokenException, InsufficientScopeException {
    if (isClosed) {
      throw new VerifierClosedException();
    }
    var token = presented.value();
    PresentedUse.checkSpelling(token);
    var digest = TokenDigest.of(token);
    var now = clock.get();
    var verified = recall(digest, now);
    if (verified == null) {
      verified = prove(token, digest, now);
    }
    if (verified == null) {
      verified = ask(token, new Question(digest, Optional.ofNullable(presented.certificateThumbprint())), false);
    }
    // At each use, and never kept as a verdict.
    PresentedUse.judge(verified, presented, audience);
    return verified;
  }

  /** The same for tokens that are for one audience. */
  public VerifiedToken verify(PresentedToken presented, String audience)
      throws InvalidTokenException, InsufficientScopeException {
    return verify(presented, Optional.of(audience));
  }

  /** Whether tokens are accepted from memory now. */
  public boolean isCurrent() {
    return !isClosed && log.isCurrent(clock.get());
  }

  /** Waits until the revocations are known for the first time; returns whether they are. */
  public boolean awaitCurrent(Duration timeout) throws InterruptedException {
    return poller.awaitCaughtUp(timeout) && isCurrent();
  }

  /** Ends the polling. From now on nothing is verified. */
  @Override
  public void close() {
    isClosed = true;
    poller.close();
  }

  /** What was verified before, unless it has ended or may have been ended since; {@code null}: nothing. */
  private VerifiedToken recall(TokenDigest digest, Moment now) {
    var answer = answers.get(digest);
    if (answer == null || !log.isCurrent(now)) {
      return null;
    }
    long number = log.number();
    long noted = answer.noted;
    if (noted != number) {
      if (answer.wasToldSince(noted) || log.isVoid(noted)) {
        answers.drop(digest, answer);
        return null;
      }
      answer.noted = number;
    }
    if (now.hasReached(answer.goodUntil)) {
      answers.drop(digest, answer);
      return null;
    }
    return answer.token;
  }

  /** Verifies a JWT offline; {@code null}: the server has to be asked. */
  private VerifiedToken prove(String token, TokenDigest digest, Moment now) throws InvalidTokenException {
    if (!isOffline || !isJwt(token) || !log.isCurrent(now)) {
      return null;
    }
    long noted = log.number();
    if (!log.hasHistory(now)) {
      return null;
    }
    Optional<JwtReader.Proved> read;
    try {
      read = jwts.read(token);
    } catch (StatusRuntimeException withoutKeys) {
      // The server may answer all the same.
      return null;
    }
    if (read.isEmpty()) {
      return null;
    }
    var proved = read.get();
    var time = Instant.ofEpochMilli(now.wall());
    // By the server's clock it may be good.
    boolean isTimely = !time.isBefore(proved.earliest()) && time.isBefore(proved.token().expireTime());
    var keys = proved.revocationKeys();
    // Fetching the keys takes its time.
    if (keys.isEmpty() || !isTimely || !log.isCurrent(clock.get()) || log.hasTold(keys)) {
      return null;
    }
    return keep(digest, proved.token(), keys, noted, now) ? proved.token() : null;
  }

  /** Verifies online, together with others who ask the same; {@code wasRefused}: by the answer to an older question. */
  private VerifiedToken ask(String token, Question question, boolean wasRefused) throws InvalidTokenException {
    var now = clock.get();
    PendingCall pending;
    boolean isMine;
    synchronized (pendingCalls) {
      long noted = log.number();
      pending = pendingCalls.get(question);
      // Who comes after a telling wants an answer that was asked for after it. Where the log is not current, there may
      // have been tellings that are not known.
      isMine = pending == null || pending.isDone() || pending.noted != noted || !log.isCurrent(now);
      if (isMine) {
        pending = new PendingCall(noted);
        pendingCalls.put(question, pending);
      }
    }
    if (!isMine) {
      Optional<VerifiedToken> answer;
      try {
        answer = awaitAnswer(pending);
      } catch (InvalidTokenException refused) {
        if (wasRefused) {
          throw refused;
        }
        // No key tells that a token is active again: it may be, since the question was sent.
        return ask(token, question, true);
      }
      return answer.isPresent() ? answer.get() : ask(token, question, wasRefused);
    }
    try {
      var verified = call(token, question, pending, now);
      pending.complete(verified);
      return verified;
    } catch (Throwable failure) {
      pending.completeExceptionally(failure);
      throw failure;
    } finally {
      synchronized (pendingCalls) {
        pendingCalls.remove(question, pending);
      }
    }
  }

  /** Waits for what another asks; empty: its thread was interrupted, which is nothing to this one. */
  private static Optional<VerifiedToken> awaitAnswer(PendingCall pending) throws InvalidTokenException {
    try {
      return Optional.of(pending.join());
    } catch (CompletionException failure) {
      if (failure.getCause() instanceof InvalidTokenException refused) {
        throw new InvalidTokenException(refused.getMessage(), refused);
      }
      if (failure.getCause() instanceof StatusRuntimeException unknown) {
        if (unknown.getStatus().getCode() == Status.Code.CANCELLED) {
          return Optional.empty();
        }
        throw new StatusRuntimeException(unknown.getStatus(), unknown.getTrailers());
      }
      throw failure;
    }
  }

  /** Asks, and keeps the answer if nobody asked the same since. */
  private VerifiedToken call(String token, Question question, PendingCall pending, Moment now)
      throws InvalidTokenException {
    var digest = question.token();
    var kept = answers.get(digest);
    // Others wait for it, too: it does not end with this caller's own call.
    var context = Context.current().fork();
    var previous = context.attach();
    try {
      var claims = server.verify(token, question.certificateThumbprint().orElse(null));
      var verified = VerifiedToken.of(claims);
      var keys = keysIn(claims);
      if (isLatest(question, pending) && !keys.isEmpty() && !hasExpired(verified, now)) {
        keep(digest, verified, keys, pending.noted, now);
      }
      return verified;
    } catch (InvalidTokenException refused) {
      var shown = question.certificateThumbprint();
      if (kept != null && kept.token.certificateThumbprint().or(() -> shown).equals(shown)) {
        answers.drop(digest, kept);
      }
      throw refused;
    } finally {
      context.detach(previous);
    }
  }

  private boolean isLatest(Question question, PendingCall pending) {
    synchronized (pendingCalls) {
      return pendingCalls.get(question) == pending;
    }
  }

  private static boolean hasExpired(VerifiedToken token, Moment now) {
    return now.wall() >= token.expireTime().toEpochMilli();
  }

  /** All that may end a token; empty: it is not known. */
  private static List<RevocationKey> keysIn(TokenClaims claims) {
    var keys = claims.getRevocationKeysList();
    boolean isSound = keys.stream().allMatch(each -> each.size() == RevocationKey.BYTES);
    return isSound ? keys.stream().map(RevocationKey::of).toList() : List.of();
  }

  /** Keeps what was looked at when a number was noted, unless it may have ended since; returns whether it is kept. */
  private boolean keep(
      TokenDigest digest, VerifiedToken token, Collection<RevocationKey> keys, long noted, Moment now) {
    var goodUntil = now.after(token.expireTime().toEpochMilli() - now.wall());
    var answer = new KeptAnswer(token, noted, goodUntil);
    return answers.keepUnless(() -> log.hasToldSince(keys, noted), digest, answer, keys);
  }

  /** Whether a token has the three parts of a JWT. */
  private static boolean isJwt(String token) {
    return token.chars().filter(each -> each == '.').count() == 2;
  }
}
