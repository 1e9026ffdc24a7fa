package internal.qscope.tour;

import com.google.gson.annotations.SerializedName;
import internal.qscope.client.Authentication;
import internal.qscope.v1.ClientAuthentication;

/**
 * A server, and the clients that are registered there for the tour.
 *
 * @param lossyAddress a place without TLS where answers get lost
 * @param rayPrefix begins the ray id of each call; the step's name follows
 * @param orders mints for itself and has scopes orders.read and orders.write
 * @param warehouse the resource server of its audience; exchanges tokens for the billing audience
 * @param shop a web application whose users sign in
 * @param television a public client on a device without a browser
 * @param reports is given JWT access tokens
 * @param courier proves itself by a certificate
 * @param frontEnd may record what users decided
 * @param operator may read clients and tokens
 * @param assertion what the platform says about orders
 * @param workload is proved by the token in its file, which its platform replaces
 * @param verifierCasesFile has the tokens of clients/conformance
 */
record Settings(
    String address,
    @SerializedName("lossy_address") String lossyAddress,
    @SerializedName("ca_file") String caFile,
    String issuer,
    @SerializedName("ray_prefix") String rayPrefix,
    Registered orders,
    Registered warehouse,
    @SerializedName("warehouse_audience") String warehouseAudience,
    @SerializedName("billing_audience") String billingAudience,
    Registered shop,
    Registered television,
    Registered reports,
    Registered courier,
    @SerializedName("front_end") Registered frontEnd,
    Registered operator,
    String assertion,
    Workload workload,
    @SerializedName("verifier_cases_file") String verifierCasesFile) {

  /**
   * A client that its platform knows; each of its tokens is good for one call.
   *
   * @param nextAssertion what the platform puts into the file in the end
   */
  record Workload(
      @SerializedName("client_id") String clientId,
      @SerializedName("assertion_file") String assertionFile,
      @SerializedName("next_assertion") String nextAssertion) {}

  /** A client as the registration told it. */
  record Registered(
      @SerializedName("client_id") String clientId,
      @SerializedName("client_secret") String clientSecret,
      @SerializedName("redirect_uri") String redirectUri,
      @SerializedName("cert_file") String certFile,
      @SerializedName("key_file") String keyFile) {

    /** How it authenticates in a request. */
    ClientAuthentication proof() {
      return clientSecret == null || clientSecret.isEmpty()
          ? Authentication.withoutSecret(clientId)
          : Authentication.withSecret(clientId, clientSecret);
    }
  }
}
