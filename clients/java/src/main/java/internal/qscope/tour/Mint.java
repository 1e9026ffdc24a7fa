package internal.qscope.tour;

import com.google.protobuf.Duration;
import internal.qscope.client.Refusal;
import internal.qscope.client.TokenSource;
import internal.qscope.v1.BatchMintTokensItem;
import internal.qscope.v1.BatchMintTokensRequest;
import internal.qscope.v1.BatchMintTokensResult;
import internal.qscope.v1.IssuedToken;
import internal.qscope.v1.MintTokenRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.stream.Stream;

/** Obtains tokens for the client itself. */
final class Mint {
  private static final int CALLERS = 50;

  private Mint() {}

  static void visit(Guide guide) throws InterruptedException, IOException {
    mintOnceForMany(guide);
    renew(guide);
    federate(guide);
    mintBatch(guide);
  }

  /** Asks one source from many threads at once. */
  private static void mintOnceForMany(Guide guide) {
    var request =
        MintTokenRequest.newBuilder()
            .setClient(guide.settings.orders().proof())
            .addScopes("orders.read")
            .addAudiences(guide.settings.warehouseAudience())
            .setLifetime(seconds(300))
            .build();
    var source = new TokenSource(() -> guide.tokens("reuse").mintToken(request).getToken());
    var callers = Executors.newFixedThreadPool(CALLERS);
    var asked = Stream.generate(() -> CompletableFuture.supplyAsync(source::token, callers)).limit(CALLERS).toList();
    var got = asked.stream().map(CompletableFuture::join).toList();
    callers.shutdown();
    var told = Told.token(got.get(0));
    told.put("callers", got.size());
    told.put("different_tokens", got.stream().map(IssuedToken::getTokenId).distinct().count());
    guide.tell("reuse", told);
  }

  /** Uses a source for longer than its first token lives. */
  private static void renew(Guide guide) throws InterruptedException {
    var orders = guide.settings.orders().proof();
    var request = MintTokenRequest.newBuilder().setClient(orders).setLifetime(seconds(2)).build();
    var source = new TokenSource(() -> guide.tokens("renewal").mintToken(request).getToken());
    var first = source.token();
    Thread.sleep(2_000);
    var second = source.token();
    guide.tell("renewal", Map.of("token_ids", List.of(first.getTokenId(), second.getTokenId())));
  }

  /** Uses a source for longer than its first token lives, while the platform replaces its own. */
  private static void federate(Guide guide) throws InterruptedException, IOException {
    var workload = guide.settings.workload();
    var file = Path.of(workload.assertionFile());
    var request = MintTokenRequest.newBuilder().setLifetime(seconds(2)).build();
    var source = TokenSource.federated(guide.tokens("federated_renewal"), workload.clientId(), file, request);
    var first = source.token();
    Files.writeString(file, workload.nextAssertion() + "\n");
    Thread.sleep(2_000);
    var second = source.token();
    guide.tell("federated_renewal", Map.of("token_ids", List.of(first.getTokenId(), second.getTokenId())));
  }

  /** Asks for several tokens, one of which the client may not have. */
  private static void mintBatch(Guide guide) {
    var items =
        Stream.of("orders.read", "orders.burn", "orders.write")
            .map(scope -> BatchMintTokensItem.newBuilder().addScopes(scope).build())
            .toList();
    var request =
        BatchMintTokensRequest.newBuilder().setClient(guide.settings.orders().proof()).addAllRequests(items).build();
    var answer = guide.tokens("batch_mint").batchMintTokens(request);
    guide.tell("batch_mint", Map.of("results", answer.getResultsList().stream().map(Mint::result).toList()));
  }

  private static Map<String, Object> result(BatchMintTokensResult result) {
    return switch (result.getResultCase()) {
      case TOKEN -> Told.token(result.getToken());
      case STATUS -> Told.refusal(Refusal.of(result.getStatus()));
      case RESULT_NOT_SET -> throw new IllegalStateException("a result is empty");
    };
  }

  static Duration seconds(long count) {
    return Duration.newBuilder().setSeconds(count).build();
  }

  /** Obtains a token for a later step. */
  static String tokenFor(Guide guide, MintTokenRequest.Builder request) {
    return guide.tokens("mint").mintToken(request.build()).getToken().getAccessToken();
  }
}
