package internal.qscope.tour;

import internal.qscope.v1.ClientServiceGrpc.ClientServiceBlockingStub;
import internal.qscope.v1.GetClientRequest;
import internal.qscope.v1.ListTokensRequest;
import internal.qscope.v1.TokenMetadata;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Reads what platform engineers read, with a bearer token. */
final class Manage {
  private Manage() {}

  static void visit(Guide guide) {
    var anonymous = guide.clients("manage");
    var operator = anonymous.withCallCredentials(guide.operator);
    var frontEnd = anonymous.withCallCredentials(guide.frontEnd);
    var orders = GetClientRequest.newBuilder().setClientId(guide.settings.orders().clientId()).build();
    var nobody = GetClientRequest.newBuilder().setClientId("nobody").build();
    tellClient(guide, operator, orders);
    guide.tellRefusal("not_found", () -> operator.getClient(nobody));
    guide.tellRefusal("no_permission", () -> frontEnd.getClient(orders));
    guide.tellRefusal("no_bearer", () -> anonymous.getClient(orders));
    listTokens(guide);
  }

  private static void tellClient(Guide guide, ClientServiceBlockingStub clients, GetClientRequest request) {
    var client = clients.getClient(request).getClient();
    var scopes = List.copyOf(client.getScopesList());
    guide.tell(
        "get_client", Map.of("client_id", client.getClientId(), "type", client.getType().name(), "scopes", scopes));
  }

  /** Walks through all pages. */
  private static void listTokens(Guide guide) {
    var tokens = guide.tokens("manage").withCallCredentials(guide.operator);
    var request = ListTokensRequest.newBuilder().setClientId(guide.settings.orders().clientId()).setPageSize(2);
    var ids = new ArrayList<String>();
    int pages = 0;
    do {
      var page = tokens.listTokens(request.build());
      pages += 1;
      page.getTokensList().stream().map(TokenMetadata::getTokenId).forEach(ids::add);
      request.setPageToken(page.getNextPageToken());
    } while (!request.getPageToken().isEmpty());
    guide.tell("list_tokens", Map.of("token_ids", ids, "pages", pages));
  }
}
