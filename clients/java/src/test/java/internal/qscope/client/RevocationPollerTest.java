package internal.qscope.client;

import static org.testng.Assert.assertEquals;
import static org.testng.Assert.assertFalse;
import static org.testng.Assert.assertTrue;

import com.google.protobuf.ByteString;
import internal.qscope.v1.PollRevocationsResponse;
import internal.qscope.v1.Revocation;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.testng.annotations.AfterMethod;
import org.testng.annotations.BeforeMethod;
import org.testng.annotations.Test;

/** Polling that goes wrong, and that ends. */
public class RevocationPollerTest {
  private ScriptedServer server;
  private CachingVerifier verifier;
  private List<Exception> failures;

  /** TestNG runs all tests on one instance. */
  @BeforeMethod
  public void answerTheFirstPoll() throws IOException, InterruptedException {
    server = new ScriptedServer(Optional.empty());
    failures = new CopyOnWriteArrayList<>();
    var caller = ResourceServer.of(server.stub(), Authentication.withSecret("warehouse", "secret"));
    verifier = CachingVerifier.of(caller).onPollFailure(this::noteAndFail).start();
    server.nextPoll().answer(answer("c1"));
    assertTrue(verifier.awaitCurrent(Duration.ofSeconds(30)));
  }

  @AfterMethod
  public void close() {
    verifier.close();
    server.close();
  }

  private void noteAndFail(Exception failure) {
    failures.add(failure);
    throw new IllegalStateException("is not to end the polling", failure);
  }

  private static PollRevocationsResponse answer(String cursor) {
    return PollRevocationsResponse.newBuilder().setNextCursor(cursor).build();
  }

  @Test
  public void pollsGoOnAfterFailuresWhichAreTold() throws InterruptedException {
    for (int count = 0; count < 3; count += 1) {
      server.nextPoll().fail(ScriptedServer.UNAVAILABLE);
    }
    assertEquals(server.nextPoll().request().getCursor(), "c1");
    var codes = failures.stream().map(failure -> Status.fromThrowable(failure).getCode()).toList();
    assertEquals(codes, Collections.nCopies(3, Status.Code.UNAVAILABLE));
    assertTrue(verifier.isCurrent());
  }

  @Test
  public void aCursorThatTheServerDoesNotTakeIsGivenUp() throws InterruptedException {
    server.nextPoll().fail(new StatusRuntimeException(Status.INVALID_ARGUMENT));
    assertTrue(server.nextPoll().request().hasStart());
    assertFalse(verifier.isCurrent());
  }

  @Test
  public void anAnswerThatBreaksTheContractEndsTheRun() throws InterruptedException {
    var broken = Revocation.newBuilder().setKey(ByteString.copyFromUtf8("too short"));
    server.nextPoll().answer(answer("c2").toBuilder().addRevocations(broken).build());
    assertTrue(server.nextPoll().request().hasStart());
    assertFalse(verifier.isCurrent());
  }

  @Test
  public void closeEndsTheCallAndTheThread() throws InterruptedException {
    var poll = server.nextPoll();
    verifier.close();
    while (!poll.isCancelled()) {
      Thread.sleep(1);
    }
    var threads = Thread.getAllStackTraces().keySet().stream().map(Thread::getName).toList();
    assertFalse(threads.contains("qscope-revocations"));
    verifier.close();
    assertEquals(failures, List.of());
  }
}
