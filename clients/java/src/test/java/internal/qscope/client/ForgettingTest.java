package internal.qscope.client;

import static org.testng.Assert.assertEquals;
import static org.testng.Assert.assertFalse;
import static org.testng.Assert.assertTrue;

import java.util.List;
import org.testng.annotations.BeforeMethod;
import org.testng.annotations.Test;

/** When revocation keys are forgotten, with the leeway for clocks. */
public class ForgettingTest {
  private static final long SECOND = 1_000;
  private static final long HOUR = 3_600 * SECOND;
  private static final Moment BEGAN = new Moment(50_000, 1_000 * HOUR);
  private static final RevocationKey KEY = new RevocationKey(0, 1);
  private static final RevocationKey OTHER = new RevocationKey(0, 2);

  private Forgetting forgetting;

  /** TestNG runs all tests on one instance. */
  @BeforeMethod
  public void tellOfAKeyWhoseTimeIsTwoHoursAhead() {
    forgetting = new Forgetting();
    forgetting.put(KEY, BEGAN, BEGAN.wall() + 2 * HOUR);
  }

  @Test
  public void aKeyIsKeptUntilItsTimeAndTheLeewayAreOver() {
    assertEquals(forgetting.due(BEGAN.after(2 * HOUR + 60 * SECOND)), List.of());
    assertEquals(forgetting.due(BEGAN.after(3 * HOUR + 61 * SECOND)), List.of(KEY));
    assertEquals(forgetting.due(BEGAN.after(9 * HOUR)), List.of());
  }

  @Test
  public void aKeyThatIsToldAgainHasTheLaterTime() {
    forgetting.put(KEY, BEGAN.after(HOUR), BEGAN.wall() + 5 * HOUR);
    forgetting.put(OTHER, BEGAN, BEGAN.wall() + 2 * HOUR);
    assertEquals(forgetting.due(BEGAN.after(3 * HOUR + 61 * SECOND)), List.of(OTHER));
    assertEquals(forgetting.due(BEGAN.after(6 * HOUR + 61 * SECOND)), List.of(KEY));
  }

  @Test
  public void eitherClockAloneForgetsNothing() {
    assertEquals(forgetting.due(new Moment(BEGAN.monotonic(), BEGAN.wall() + 9 * HOUR)), List.of());
    assertEquals(forgetting.due(new Moment(BEGAN.monotonic() + 9 * HOUR, BEGAN.wall())), List.of());
    assertEquals(forgetting.due(BEGAN.after(9 * HOUR)), List.of(KEY));
  }

  @Test
  public void aWallClockThatIsSetBackAfterItForgotIsNoticed() {
    var ahead = BEGAN.after(9 * HOUR);
    assertEquals(forgetting.due(ahead), List.of(KEY));
    assertTrue(forgetting.isRight(ahead.after(HOUR)));
    assertTrue(forgetting.isRight(new Moment(ahead.monotonic(), ahead.wall() - 59 * SECOND)));
    assertFalse(forgetting.isRight(new Moment(ahead.monotonic(), ahead.wall() - 61 * SECOND)));
  }
}
