package internal.qscope.client;

import static java.util.concurrent.TimeUnit.SECONDS;

import internal.qscope.v1.IssuedToken;
import internal.qscope.v1.MintTokenRequest;
import internal.qscope.v1.TokenServiceGrpc.TokenServiceBlockingStub;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.LongSupplier;

/**
 * Hands out one token until shortly before it ends. It is made once for each set of scopes and audiences, and safe for
 * any number of threads.
 */
public final class TokenSource {
  /**
   * A token is replaced when between an eighth and a quarter of its lifetime is left. The moment is drawn, so that the
   * instances of a service do not all mint at once.
   */
  private static final double LEAST_LEFT = 1.0 / 8;

  private static final double MOST_LEFT = 1.0 / 4;

  /** How long a renewal that failed is left alone while the token is good. */
  private static final long PAUSE_NANOS = Duration.ofSeconds(1).toNanos();

  /** Bounds one attempt of a source that has its own way to mint. */
  private static final long MINT_TIMEOUT_SECONDS = 10;

  private final Callable<IssuedToken> mint;
  private final Executor executor;
  private final LongSupplier nanoTime;

  private Held current;
  private CompletableFuture<IssuedToken> flight;
  private boolean hasFailed;
  private long failedAt;

  private record Held(IssuedToken token, long began, long renewAfter, long lifetime) {}

  /** Takes what obtains one token, within a deadline of its own: a call of MintToken, for example. */
  public TokenSource(Callable<IssuedToken> mint) {
    this(mint, TokenSource::runOnThread, System::nanoTime);
  }

  /**
   * Mints for a FEDERATED_JWT client with the token that its platform puts into a file (RFC 7523 §2.2). The file is read
   * for each mint, because the platform replaces the token. Each attempt may take 10 s.
   *
   * @param request which scopes, audiences and lifetime are wanted; its client is not used
   */
  public static TokenSource federated(
      TokenServiceBlockingStub tokens, String clientId, Path assertionFile, MintTokenRequest request) {
    return new TokenSource(
        () -> {
          var client = Authentication.withAssertionFile(clientId, assertionFile);
          var proved = request.toBuilder().setClient(client).build();
          return tokens.withDeadlineAfter(MINT_TIMEOUT_SECONDS, SECONDS).mintToken(proved).getToken();
        });
  }

  TokenSource(Callable<IssuedToken> mint, Executor executor, LongSupplier nanoTime) {
    this.mint = mint;
    this.executor = executor;
    this.nanoTime = nanoTime;
  }

  /**
   * Returns a token that is good now. While one is being renewed ahead of its end, callers go on with it and wait for
   * nothing; where there is none, they wait together for one attempt.
   *
   * @throws java.util.concurrent.CompletionException with what minting threw
   */
  public IssuedToken token() {
    return future().join();
  }

  /** The token without waiting: the future is complete where one is at hand. What a caller does to it is its own. */
  public CompletableFuture<IssuedToken> future() {
    CompletableFuture<IssuedToken> departed = null;
    CompletableFuture<IssuedToken> answer;
    synchronized (this) {
      long now = nanoTime.getAsLong();
      long age = current == null ? 0 : now - current.began();
      boolean isGood = current != null && age < current.lifetime();
      boolean isResting = hasFailed && now - failedAt < PAUSE_NANOS;
      boolean isDue = !isGood || (age >= current.renewAfter() && !isResting);
      if (isDue && flight == null) {
        departed = new CompletableFuture<>();
        flight = departed;
      }
      answer = isGood ? CompletableFuture.completedFuture(current.token()) : flight.copy();
    }
    if (departed != null) {
      // Of no caller: others wait for it too.
      var mine = departed;
      executor.execute(() -> fly(mine));
    }
    return answer;
  }

  /**
   * Drops a token that a resource server refused before its time, such as a revoked one; the next call mints. Any other
   * token stays.
   */
  public synchronized void discard(String accessToken) {
    if (current != null && current.token().getAccessToken().equals(accessToken)) {
      current = null;
    }
  }

  private void fly(CompletableFuture<IssuedToken> departed) {
    // The lifetime counts from before the call, on this machine's own clock.
    long began = nanoTime.getAsLong();
    IssuedToken token;
    try {
      token = mint.call();
    } catch (Throwable failure) { // the waiting callers' to handle
      synchronized (this) {
        flight = null;
        hasFailed = true;
        failedAt = nanoTime.getAsLong();
      }
      departed.completeExceptionally(failure);
      return;
    }
    synchronized (this) {
      flight = null;
      hasFailed = false;
      current = hold(token, began);
    }
    departed.complete(token);
  }

  private static Held hold(IssuedToken token, long began) {
    long lifetime = Duration.ofSeconds(token.getExpiresIn().getSeconds(), token.getExpiresIn().getNanos()).toNanos();
    double left = ThreadLocalRandom.current().nextDouble(LEAST_LEFT, MOST_LEFT);
    return new Held(token, began, (long) ((1 - left) * lifetime), lifetime);
  }

  private static void runOnThread(Runnable task) {
    var thread = new Thread(task, "qscope-token-source");
    thread.setDaemon(true);
    thread.start();
  }
}
