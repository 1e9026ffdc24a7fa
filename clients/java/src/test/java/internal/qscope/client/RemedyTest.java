package internal.qscope.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import internal.qscope.v1.ErrorReason;
import io.grpc.Status.Code;
import org.junit.jupiter.api.Test;

class RemedyTest {
  private static Status.Builder refused(Code code, String domain, String reason) {
    var info = ErrorInfo.newBuilder().setDomain(domain).setReason(reason).build();
    return Status.newBuilder().setCode(code.value()).addDetails(Any.pack(info));
  }

  @Test
  void everyReasonOfTheContractIsRecognized() {
    for (var value : ErrorReason.getDescriptor().getValues()) {
      var name = value.getName().replaceFirst("^ERROR_REASON_", "");
      var refusal = Refusal.of(refused(Code.INTERNAL, "qscope", name).build());
      assertNotEquals(ErrorReason.UNRECOGNIZED, refusal.reason(), name);
    }
  }

  @Test
  void aReasonThatIsNewerThanTheProgramIsDecidedByItsStatus() {
    var refusal = Refusal.of(refused(Code.PERMISSION_DENIED, "qscope", "OAUTH_INVENTED_LATER").build());
    assertEquals(Remedy.ASK_FOR_PERMISSION, refusal.remedy());
    assertEquals("OAUTH_INVENTED_LATER", refusal.reasonName());
  }

  @Test
  void aReasonOfAnotherServiceIsNotTakenForOneOfQScope() {
    var refusal = Refusal.of(refused(Code.UNAVAILABLE, "mesh.example", "OAUTH_INVALID_GRANT").build());
    assertEquals(Remedy.FIND_OUT, refusal.remedy());
  }

  @Test
  void anUnknownOutcomeIsRepeatedOnlyWhereTheServerSaysThatItIsSafe() {
    var unsafe = refused(Code.ABORTED, "qscope", "RESOURCE_OUTCOME_UNKNOWN");
    assertEquals(Remedy.FIND_OUT, Refusal.of(unsafe.build()).remedy());
    var retry = RetryInfo.newBuilder().setRetryDelay(Duration.newBuilder().setSeconds(1)).build();
    assertEquals(Remedy.WAIT_AND_REPEAT, Refusal.of(unsafe.addDetails(Any.pack(retry)).build()).remedy());
  }
}
