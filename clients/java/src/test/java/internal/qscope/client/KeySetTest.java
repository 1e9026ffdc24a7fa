package internal.qscope.client;

import static org.testng.Assert.assertEquals;
import static org.testng.Assert.assertFalse;
import static org.testng.Assert.expectThrows;

import com.google.protobuf.util.Durations;
import internal.qscope.v1.GetJsonWebKeySetRequest;
import internal.qscope.v1.GetJsonWebKeySetResponse;
import internal.qscope.v1.TokenServiceGrpc;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.testng.annotations.AfterClass;
import org.testng.annotations.BeforeClass;
import org.testng.annotations.Test;

/** Keys that are fetched, and when they are fetched again. */
public class KeySetTest {
  private static final long PATIENCE_SECONDS = 30;

  /** Holds each fetch until the test answers it. */
  private static final class SlowServer extends TokenServiceGrpc.TokenServiceImplBase {
    private final LinkedBlockingQueue<StreamObserver<GetJsonWebKeySetResponse>> fetches = new LinkedBlockingQueue<>();

    @Override
    public void getJsonWebKeySet(GetJsonWebKeySetRequest request, StreamObserver<GetJsonWebKeySetResponse> observer) {
      fetches.add(observer);
    }

    void fail(Status status) throws InterruptedException {
      fetches.poll(PATIENCE_SECONDS, TimeUnit.SECONDS).onError(status.asRuntimeException());
    }

    void answerWithoutKeys(long maxAgeSeconds) throws InterruptedException {
      var fetch = fetches.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
      fetch.onNext(GetJsonWebKeySetResponse.newBuilder().setMaxAge(Durations.fromSeconds(maxAgeSeconds)).build());
      fetch.onCompleted();
    }
  }

  private final SlowServer slow = new SlowServer();
  private Server server;
  private ManagedChannel channel;

  @BeforeClass
  public void start() throws IOException {
    server = Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create()).addService(slow).build().start();
    channel = Grpc.newChannelBuilder("127.0.0.1:" + server.getPort(), InsecureChannelCredentials.create()).build();
  }

  @AfterClass
  public void stop() {
    channel.shutdownNow();
    server.shutdownNow();
  }

  private KeySet keysBy(Supplier<Moment> clock) {
    return new KeySet(TokenServiceGrpc.newBlockingStub(channel), clock);
  }

  @Test
  public void whoWaitedForAFetchThatFailedDoesNotWaitForAnother() throws Exception {
    var keys = keysBy(Moment::now);
    var failures = new ArrayList<CompletableFuture<Status.Code>>();
    for (int count = 0; count < 4; count += 1) {
      var failure = new CompletableFuture<Status.Code>();
      var thread = new Thread(() -> failure.complete(failureOf(keys)));
      thread.start();
      awaitWaiting(thread);
      failures.add(failure);
    }
    slow.fail(Status.UNAVAILABLE);
    for (var failure : failures) {
      assertEquals(failure.get(PATIENCE_SECONDS, TimeUnit.SECONDS), Status.Code.UNAVAILABLE);
    }
    assertEquals(slow.fetches.size(), 0);
    var later = CompletableFuture.supplyAsync(() -> failureOf(keys));
    slow.fail(Status.INTERNAL);
    assertEquals(later.get(PATIENCE_SECONDS, TimeUnit.SECONDS), Status.Code.INTERNAL);
  }

  @Test
  public void keysAreTooOldOnAMachineThatSleptThoughItsMonotonicClockStoodStill() throws Exception {
    var began = new Moment(50_000, 1_800_000_000_000L);
    var now = new AtomicReference<>(began);
    var keys = keysBy(now::get);
    var first = CompletableFuture.supplyAsync(() -> keys.has("any"));
    slow.answerWithoutKeys(5);
    assertFalse(first.get(PATIENCE_SECONDS, TimeUnit.SECONDS));
    now.set(new Moment(began.monotonic(), began.wall() + 5_000));
    // Nobody would answer if they were fetched.
    assertFalse(keys.has("any"));
    now.set(new Moment(began.monotonic(), began.wall() + 5_001));
    var second = CompletableFuture.supplyAsync(() -> keys.has("any"));
    slow.answerWithoutKeys(5);
    assertFalse(second.get(PATIENCE_SECONDS, TimeUnit.SECONDS));
  }

  private static Status.Code failureOf(KeySet keys) {
    return expectThrows(StatusRuntimeException.class, () -> keys.has("any")).getStatus().getCode();
  }

  /** Returns once a thread waits for the keys, or for another that does. */
  private static void awaitWaiting(Thread thread) {
    while (thread.isAlive()) {
      boolean isThere =
          Arrays.stream(thread.getStackTrace()).anyMatch(frame -> frame.getMethodName().equals("keysFor"));
      var state = thread.getState();
      if (isThere && (state == Thread.State.BLOCKED || state == Thread.State.WAITING)) {
        return;
      }
    }
    throw new AssertionError("the thread did not wait");
  }
}
