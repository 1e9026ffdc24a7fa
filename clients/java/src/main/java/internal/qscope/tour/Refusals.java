package internal.qscope.tour;

import internal.qscope.client.Authentication;
import internal.qscope.v1.GetJsonWebKeySetRequest;
import internal.qscope.v1.MintTokenRequest;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.stub.MetadataUtils;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/** Provokes what a program has to cope with. */
final class Refusals {
  private Refusals() {}

  static void visit(Guide guide) {
    wrongSecret(guide);
    var orders = guide.settings.orders().proof();
    var wrong = new LinkedHashMap<String, MintTokenRequest.Builder>();
    wrong.put("bad_lifetime", MintTokenRequest.newBuilder().setClient(orders).setLifetime(Mint.seconds(172_800)));
    wrong.put(
        "bad_scope",
        MintTokenRequest.newBuilder().setClient(orders).addAllScopes(List.of("orders.read", "orders.burn")));
    wrong.put(
        "bad_audience", MintTokenRequest.newBuilder().setClient(orders).addAudiences("https://elsewhere.example"));
    wrong.put("bad_grant", MintTokenRequest.newBuilder().setClient(guide.settings.shop().proof()));
    wrong.forEach((step, request) -> guide.tellRefusal(step, () -> guide.tokens(step).mintToken(request.build())));
    var late = guide.tokens("deadline").withDeadlineAfter(0, TimeUnit.SECONDS);
    guide.tellRefusal("deadline", () -> late.getJsonWebKeySet(GetJsonWebKeySetRequest.getDefaultInstance()));
    cancelled(guide);
  }

  /** Reads the ray id in the answer's header, too. */
  private static void wrongSecret(Guide guide) {
    var headers = new AtomicReference<Metadata>();
    var trailers = new AtomicReference<Metadata>();
    var tokens =
        guide.tokens("wrong_secret").withInterceptors(MetadataUtils.newCaptureMetadataInterceptor(headers, trailers));
    var wrong =
        Authentication.withSecret(guide.settings.orders().clientId(), guide.settings.warehouse().clientSecret());
    var request = MintTokenRequest.newBuilder().setClient(wrong).build();
    guide.tellRefusal("wrong_secret", () -> tokens.mintToken(request));
    guide.tell("header", Map.of("x_ray_id", List.of(headers.get().get(Guide.RAY_ID))));
  }

  /** Stops watching before anybody has decided. */
  private static void cancelled(Guide guide) {
    var request = Devices.watching(guide, Devices.start(guide, "cancelled"));
    var context = Context.current().withCancellation();
    var outside = context.attach();
    try {
      var events = guide.devices("cancelled").watchDeviceAuthorization(request);
      events.next();
      context.cancel(null);
      guide.tellRefusal("cancelled", events::next);
    } finally {
      context.detach(outside);
    }
  }
}
