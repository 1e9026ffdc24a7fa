package internal.qscope.oauth;

import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.oauth2.sdk.AuthorizationCode;
import com.nimbusds.oauth2.sdk.AuthorizationCodeGrant;
import com.nimbusds.oauth2.sdk.AuthorizationGrant;
import com.nimbusds.oauth2.sdk.ClientCredentialsGrant;
import com.nimbusds.oauth2.sdk.RefreshTokenGrant;
import com.nimbusds.oauth2.sdk.Scope;
import com.nimbusds.oauth2.sdk.TokenIntrospectionRequest;
import com.nimbusds.oauth2.sdk.TokenIntrospectionResponse;
import com.nimbusds.oauth2.sdk.TokenRequest;
import com.nimbusds.oauth2.sdk.TokenResponse;
import com.nimbusds.oauth2.sdk.TokenRevocationRequest;
import com.nimbusds.oauth2.sdk.as.AuthorizationServerMetadata;
import com.nimbusds.oauth2.sdk.auth.ClientAuthentication;
import com.nimbusds.oauth2.sdk.auth.ClientSecretBasic;
import com.nimbusds.oauth2.sdk.auth.ClientSecretPost;
import com.nimbusds.oauth2.sdk.auth.JWTAuthenticationClaimsSet;
import com.nimbusds.oauth2.sdk.auth.PrivateKeyJWT;
import com.nimbusds.oauth2.sdk.auth.Secret;
import com.nimbusds.oauth2.sdk.http.HTTPRequest;
import com.nimbusds.oauth2.sdk.http.HTTPResponse;
import com.nimbusds.oauth2.sdk.id.Audience;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.id.Issuer;
import com.nimbusds.oauth2.sdk.pkce.CodeVerifier;
import com.nimbusds.oauth2.sdk.token.AccessToken;
import com.nimbusds.oauth2.sdk.token.TokenTypeURI;
import com.nimbusds.oauth2.sdk.token.TypelessAccessToken;
import com.nimbusds.oauth2.sdk.tokenexchange.TokenExchangeGrant;
import com.nimbusds.oauth2.sdk.util.JSONObjectUtils;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;
import net.minidev.json.JSONObject;

/** Gets tokens from the OAuth endpoints with the Nimbus SDK, and prints the results as one JSON object. */
public final class Main {
  private final JSONObject given;
  private final SSLSocketFactory trusting;
  private final AuthorizationServerMetadata server;

  private Main(JSONObject given) throws Exception {
    this.given = given;
    this.trusting = trusting(Path.of((String) given.get("ca_file")));
    HTTPRequest.setDefaultSSLSocketFactory(trusting);
    this.server = AuthorizationServerMetadata.resolve(new Issuer((String) given.get("issuer")));
  }

  public static void main(String[] arguments) throws Exception {
    var given = JSONObjectUtils.parse(Files.readString(Path.of(arguments[0])));
    System.out.println(new JSONObject(new Main(given).run()).toJSONString());
  }

  private Map<String, Object> run() throws Exception {
    var got = new LinkedHashMap<String, Object>();
    var orders = basic("orders");
    var audience = List.of(URI.create((String) given.get("audience")));
    var minting = new TokenRequest.Builder(server.getTokenEndpointURI(), orders, new ClientCredentialsGrant());
    var minted = tokens(minting.scope(new Scope("orders.read")).resources(audience.toArray(URI[]::new)).build());
    got.put("basic", minted);
    got.put("post", tokens(request(new ClientSecretPost(id("orders"), secret("orders")), new ClientCredentialsGrant())));
    got.put("key", tokens(request(byKey(), new ClientCredentialsGrant())));

    var verifier = new CodeVerifier((String) given.get("code_verifier"));
    var redirect = URI.create((String) given.get("redirect_uri"));
    var code = new AuthorizationCodeGrant(new AuthorizationCode((String) given.get("code")), redirect, verifier);
    var signedIn = send(request(basic("shop"), code)).toSuccessResponse().getTokens();
    got.put("code", signedIn.toJSONObject());
    got.put("refresh", tokens(request(basic("shop"), new RefreshTokenGrant(signedIn.getRefreshToken()))));

    var subject = new TypelessAccessToken((String) minted.get("access_token"));
    var exchange =
        new TokenExchangeGrant(
            subject, TokenTypeURI.ACCESS_TOKEN, null, null, null, Audience.create((String) given.get("billing")));
    var exchanged = tokens(request(basic("warehouse"), exchange));
    got.put("exchange", exchanged);
    var token = new TypelessAccessToken((String) exchanged.get("access_token"));
    got.put("introspection", introspect(token));
    var revoking = new TokenRevocationRequest(server.getRevocationEndpointURI(), basic("warehouse"), token);
    got.put("revocation", revoking.toHTTPRequest().send().getStatusCode());
    got.put("revoked", introspect(token));

    var wrong = new ClientSecretBasic(id("orders"), new Secret("wrong"));
    var refused = TokenResponse.parse(request(wrong, new ClientCredentialsGrant()).toHTTPRequest().send());
    got.put("wrong", refused.toErrorResponse().getErrorObject().getCode());
    return got;
  }

  private TokenRequest request(ClientAuthentication client, AuthorizationGrant grant) {
    return new TokenRequest.Builder(server.getTokenEndpointURI(), client, grant).build();
  }

  private Map<String, Object> tokens(TokenRequest request) throws Exception {
    return send(request).toSuccessResponse().toJSONObject();
  }

  private static TokenResponse send(TokenRequest request) throws Exception {
    HTTPResponse answer = request.toHTTPRequest().send();
    var parsed = TokenResponse.parse(answer);
    if (!parsed.indicatesSuccess()) throw new IllegalStateException(answer.getBody());
    return parsed;
  }

  private Map<String, Object> introspect(AccessToken token) throws Exception {
    var asked = new TokenIntrospectionRequest(server.getIntrospectionEndpointURI(), basic("warehouse"), token);
    return TokenIntrospectionResponse.parse(asked.toHTTPRequest().send()).toSuccessResponse().toJSONObject();
  }

  private ClientAuthentication byKey() throws Exception {
    var key = ECKey.parse((String) given.get("robot_jwk"));
    var audience = new Audience((String) given.get("issuer"));
    var claims = new JWTAuthenticationClaimsSet(new ClientID("robot"), audience);
    return new PrivateKeyJWT(
        claims, JWSAlgorithm.ES256, key.toECPrivateKey(), (String) given.get("robot_key_id"), null);
  }

  private ClientSecretBasic basic(String name) throws Exception {
    return new ClientSecretBasic(id(name), secret(name));
  }

  private ClientID id(String name) throws Exception {
    return new ClientID(JSONObjectUtils.getString(JSONObjectUtils.getJSONObject(given, name), "client_id"));
  }

  private Secret secret(String name) throws Exception {
    return new Secret(JSONObjectUtils.getString(JSONObjectUtils.getJSONObject(given, name), "client_secret"));
  }

  private static SSLSocketFactory trusting(Path file) throws Exception {
    var store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (var content = Files.newInputStream(file)) {
      store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(content));
    }
    var managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    managers.init(store);
    var context = SSLContext.getInstance("TLS");
    context.init(null, managers.getTrustManagers(), null);
    return context.getSocketFactory();
  }
}
