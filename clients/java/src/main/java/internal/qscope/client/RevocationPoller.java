package internal.qscope.client;

import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Keeps a log current in a thread of its own, until it is closed. A failure is told and tried again; meanwhile the log
 * grows stale.
 */
final class RevocationPoller implements AutoCloseable {
  private static final System.Logger LOGGER = System.getLogger(RevocationPoller.class.getPackageName());

  /** How long an answer may take beyond the time that it may wait. */
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private static final Duration LONGEST_WAIT = Duration.ofSeconds(30);

  /**
   * Between calls.
   *
   * @param least where there is no more to read: however many are revoked, and for a server that is about to stop and
   *     answers at once
   * @param first after a first failure, doubled at each further one
   * @param longest after many
   */
  record Pauses(Duration least, Duration first, Duration longest) {
    static Pauses usual() {
      return new Pauses(Duration.ofMillis(50), Duration.ofMillis(100), Duration.ofSeconds(5));
    }
  }

  private final ResourceServer server;
  private final RevocationLog log;
  private final Supplier<Moment> clock;
  private final Duration wait;
  private final Consumer<Exception> onPollFailure;
  private final Pauses pauses;
  private final Context.CancellableContext context = Context.ROOT.withCancellation();
  private final CountDownLatch closed = new CountDownLatch(1);
  private final CountDownLatch caughtUp = new CountDownLatch(1);
  private final Thread thread;

  /** Starts polling. Calls wait for half of what the log may be stale, so that one that fails can be repeated. */
  RevocationPoller(
      ResourceServer server,
      RevocationLog log,
      Supplier<Moment> clock,
      Duration bound,
      Consumer<Exception> onPollFailure,
      Pauses pauses) {
    this.server = server;
    this.log = log;
    this.clock = clock;
    var half = bound.dividedBy(2);
    this.wait = half.compareTo(LONGEST_WAIT) < 0 ? half : LONGEST_WAIT;
    this.onPollFailure = onPollFailure;
    this.pauses = pauses;
    this.thread = new Thread(context.wrap(this::run), "qscope-revocations");
    thread.setDaemon(true);
    thread.start();
  }

  /** Waits until a run of answers has come to its end for the first time; returns whether it has. */
  boolean awaitCaughtUp(Duration timeout) throws InterruptedException {
    return caughtUp.await(timeout.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Ends the call under way and the thread; returns when both are gone. */
  @Override
  public void close() {
    closed.countDown();
    context.cancel(Status.CANCELLED.withDescription("the verifier was closed").asException());
    boolean isInterrupted = false;
    while (thread != Thread.currentThread() && thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException interruption) {
        isInterrupted = true;
      }
    }
    if (isInterrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void run() {
    int failures = 0;
    var pause = Duration.ZERO;
    while (!isClosedWithin(pause)) {
      try {
        pause = follow() ? Duration.ZERO : pauses.least();
        failures = 0;
      } catch (Exception error) { // told, and tried again: without this thread, all goes stale
        if (closed.getCount() == 0) {
          return;
        }
        pause = pauseAfter(error, failures);
        failures += 1;
        tell(error);
      }
    }
  }

  private boolean isClosedWithin(Duration pause) {
    try {
      return closed.await(pause.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException interruption) {
      // Nobody has this thread to interrupt it; whoever does wants it to end.
      return true;
    }
  }

  /** Polls once; returns whether there is more to read. */
  private boolean follow() throws MalformedAnswerException {
    // Before the first attempt: what counts is the time of that, whatever the library sends again.
    var sent = clock.get();
    var request = log.nextRequest(wait, sent);
    var answer = server.poll(request, wait.plus(PATIENCE));
    boolean hasMore = log.take(answer, sent, clock.get());
    if (!hasMore) {
      caughtUp.countDown();
    }
    return hasMore;
  }

  /** How long to leave the server alone. */
  private Duration pauseAfter(Exception error, int failures) {
    var told = Duration.ZERO;
    if (error instanceof StatusRuntimeException refused) {
      told = Refusal.of(refused).retryAfter().orElse(Duration.ZERO);
      if (refused.getStatus().getCode() == Status.Code.INVALID_ARGUMENT) {
        // Not even as unknown does the server take this cursor.
        log.restart();
      }
    } else if (error instanceof MalformedAnswerException) {
      log.restart();
    }
    double most = Math.min(pauses.first().toNanos() * Math.pow(2, failures), pauses.longest().toNanos());
    var pause = Duration.ofNanos((long) (most * (1 + ThreadLocalRandom.current().nextDouble()) / 2));
    return told.compareTo(pause) > 0 ? told : pause;
  }

  private void tell(Exception error) {
    try {
      onPollFailure.accept(error);
    } catch (RuntimeException another) {
      // Not to end the polling.
      LOGGER.log(System.Logger.Level.ERROR, "the listener for failures failed", another);
    }
  }

  /** What is done about failures unless something else is asked for. */
  static void warn(Exception error) {
    LOGGER.log(System.Logger.Level.WARNING, "revocations cannot be polled: {0}", error.getMessage());
  }
}
