package internal.qscope.tour;

import internal.qscope.v1.ApproveDeviceAuthorizationRequest;
import internal.qscope.v1.DenyDeviceAuthorizationRequest;
import internal.qscope.v1.GetDeviceAuthorizationRequest;
import internal.qscope.v1.RedeemDeviceCodeRequest;
import internal.qscope.v1.StartDeviceAuthorizationRequest;
import internal.qscope.v1.StartDeviceAuthorizationResponse;
import internal.qscope.v1.WatchDeviceAuthorizationRequest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BiConsumer;

/** Signs in on a device without a browser (RFC 8628). */
final class Devices {
  private Devices() {}

  static void visit(Guide guide) {
    watch(guide, "device_watch", Devices::approve);
    watch(guide, "device_denied", Devices::deny);
    poll(guide);
  }

  static StartDeviceAuthorizationResponse start(Guide guide, String step) {
    var request =
        StartDeviceAuthorizationRequest.newBuilder()
            .setClient(guide.settings.television().proof())
            .addScopes("orders.read")
            .build();
    return guide.devices(step).startDeviceAuthorization(request);
  }

  static WatchDeviceAuthorizationRequest watching(Guide guide, StartDeviceAuthorizationResponse started) {
    return WatchDeviceAuthorizationRequest.newBuilder()
        .setClient(guide.settings.television().proof())
        .setDeviceCode(started.getDeviceCode())
        .build();
  }

  /** Waits for the decision on a stream; the user decides once it is open. */
  private static void watch(Guide guide, String step, BiConsumer<Guide, String> decide) {
    var started = start(guide, step);
    var states = new ArrayList<String>();
    Map<String, Object> told = new LinkedHashMap<>();
    var events = guide.devices(step).watchDeviceAuthorization(watching(guide, started));
    while (events.hasNext()) {
      var event = events.next();
      states.add(event.getState().name());
      if (states.size() == 1) {
        decide.accept(guide, started.getUserCode());
      }
      if (event.hasToken()) {
        told = Told.token(event.getToken());
      }
    }
    told.put("states", states);
    told.put("user_code", started.getUserCode());
    guide.tell(step, told);
  }

  /** Plays the front end: it shows what is asked for, and the user consents. */
  private static void approve(Guide guide, String userCode) {
    var devices = guide.devices("approve").withCallCredentials(guide.frontEnd);
    var look = GetDeviceAuthorizationRequest.newBuilder().setUserCode(userCode).build();
    var shown = devices.getDeviceAuthorization(look).getDeviceAuthorization();
    var request =
        ApproveDeviceAuthorizationRequest.newBuilder()
            .setUserCode(userCode)
            .setUser(Codes.user("grace"))
            .addAllScopes(shown.getScopesList())
            .build();
    devices.approveDeviceAuthorization(request);
  }

  private static void deny(Guide guide, String userCode) {
    var request = DenyDeviceAuthorizationRequest.newBuilder().setUserCode(userCode).build();
    guide.devices("deny").withCallCredentials(guide.frontEnd).denyDeviceAuthorization(request);
  }

  /** Asks for the decision, as clients do that cannot keep a stream open. */
  private static void poll(Guide guide) {
    var started = start(guide, "device_poll");
    var request =
        RedeemDeviceCodeRequest.newBuilder()
            .setClient(guide.settings.television().proof())
            .setDeviceCode(started.getDeviceCode())
            .build();
    Runnable redeem = () -> guide.devices("device_poll").redeemDeviceCode(request);
    guide.tellRefusal("device_pending", redeem);
    guide.tellRefusal("device_slow_down", redeem);
    approve(guide, started.getUserCode());
    guide.tell("device_poll", Told.token(guide.devices("device_poll").redeemDeviceCode(request).getToken()));
    guide.tellRefusal("device_redeemed", redeem);
  }
}
