package internal.qscope.client;

import static org.testng.Assert.assertEquals;
import static org.testng.Assert.assertNotEquals;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import internal.qscope.v1.ErrorReason;
import io.grpc.Status.Code;
import org.testng.annotations.Test;

public class RemedyTest {
  private static Status.Builder refused(Code code, String domain, String reason) {
    var info = ErrorInfo.newBuilder().setDomain(domain).setReason(reason).build();
    return Status.newBuilder().setCode(code.value()).addDetails(Any.pack(info));
  }

  @Test
  public void everyReasonOfTheContractIsRecognized() {
    for (var value : ErrorReason.getDescriptor().getValues()) {
      var name = value.getName().replaceFirst("^ERROR_REASON_", "");
      var refusal = Refusal.of(refused(Code.INTERNAL, "qscope", name).build());
      assertNotEquals(refusal.reason(), ErrorReason.UNRECOGNIZED, name);
    }
  }

  @Test
  public void aReasonThatIsNewerThanTheProgramIsDecidedByItsStatus() {
    var refusal = Refusal.of(refused(Code.PERMISSION_DENIED, "qscope", "OAUTH_INVENTED_LATER").build());
    assertEquals(refusal.remedy(), Remedy.ASK_FOR_PERMISSION);
    assertEquals(refusal.reasonName(), "OAUTH_INVENTED_LATER");
  }

  @Test
  public void aReasonOfAnotherServiceIsNotTakenForOneOfQScope() {
    var refusal = Refusal.of(refused(Code.UNAVAILABLE, "mesh.example", "OAUTH_INVALID_GRANT").build());
    assertEquals(refusal.remedy(), Remedy.FIND_OUT);
  }

  @Test
  public void anUnknownOutcomeIsRepeatedOnlyWhereTheServerSaysThatItIsSafe() {
    var unsafe = refused(Code.ABORTED, "qscope", "RESOURCE_OUTCOME_UNKNOWN");
    assertEquals(Refusal.of(unsafe.build()).remedy(), Remedy.FIND_OUT);
    var retry = RetryInfo.newBuilder().setRetryDelay(Duration.newBuilder().setSeconds(1)).build();
    assertEquals(Refusal.of(unsafe.addDetails(Any.pack(retry)).build()).remedy(), Remedy.WAIT_AND_REPEAT);
  }
}
