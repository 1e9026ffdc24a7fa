package internal.qscope.client;

import static org.testng.Assert.assertEquals;
import static org.testng.Assert.expectThrows;

import internal.qscope.v1.GetJsonWebKeySetRequest;
import internal.qscope.v1.GetJsonWebKeySetResponse;
import internal.qscope.v1.TokenServiceGrpc;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.testng.annotations.Test;

/** Fetches of the keys that take long. */
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
  }

  @Test
  public void whoWaitedForAFetchThatFailedDoesNotWaitForAnother() throws Exception {
    var slow = new SlowServer();
    var server = Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create()).addService(slow).build().start();
    var channel = Grpc.newChannelBuilder("127.0.0.1:" + server.getPort(), InsecureChannelCredentials.create()).build();
    try {
      var keys = new KeySet(TokenServiceGrpc.newBlockingStub(channel));
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
    } finally {
      channel.shutdownNow();
      server.shutdownNow();
    }
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
