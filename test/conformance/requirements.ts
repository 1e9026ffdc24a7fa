/**
 * What the RFCs and drafts demand of a server, clause by clause: every MUST and SHOULD. A
 * clause without a word of its own here is shown by the tests that are titled
 * with it; scripts/write-conformance.ts joins the two into docs/conformance.md,
 * and fails when a clause has neither.
 */
export interface Requirement {
  /** Without the §. */
  readonly clause: string
  readonly says: string
  /** Why it does not apply here. */
  readonly notApplicable?: string
  /** It applies, and is not met yet: what stands in its place. */
  readonly open?: string
  /** What shows it, where no test is titled by this clause: other clauses of the RFC (`§…`), or files. */
  readonly shownBy?: string
}

const FRONT_END =
  'QScope has no authorization endpoint: the front-end that owns login and consent has, and reports to CreateAuthorizationCode'
const METADATA = 'test/transports/http/documents.sqlite.test.ts, test/docs/claims.sqlite.test.ts'
const BY_CLIENT = 'a demand on clients'
const TLS = 'test/transports/grpc/tls.sqlite.test.ts, test/e2e/tls.slow.test.ts'
/** Of the endpoints on the HTTP port. */
const HTTP_TLS = 'test/transports/http/tls.sqlite.test.ts, test/e2e/tls.slow.test.ts'
const NO_IMPLICIT = 'there is no implicit grant (RFC 9700 §2.1.2)'
const NO_PASSWORD = 'there is no password grant (RFC 9700 §2.4)'

export const REQUIREMENTS: Readonly<Record<string, readonly Requirement[]>> = Object.freeze({
  '6749': [
    { clause: '2.2', says: 'the client id is unique', shownBy: 'test/services/client-service.database.test.ts' },
    { clause: '2.3', says: 'one authentication method a request; authenticates confidential clients' },
    { clause: '2.3.1', says: 'supports HTTP Basic for clients with a password' },
    { clause: '2.3.1', says: 'requires TLS where passwords travel', shownBy: TLS },
    {
      clause: '2.3.1',
      says: 'protects password authentication against brute force',
      notApplicable: 'clients do not choose passwords: secrets are drawn here, with 256 random bits',
    },
    {
      clause: '3.1',
      says: 'verifies the resource owner; GET, TLS, parameters of the endpoint',
      notApplicable: FRONT_END,
    },
    { clause: '3.1.1', says: 'judges response_type', notApplicable: FRONT_END },
    { clause: '3.1.2', says: 'redirect URIs are absolute, without a fragment' },
    { clause: '3.1.2.1', says: 'redirects over TLS' },
    { clause: '3.1.2.2', says: 'requires the registration of redirect URIs' },
    { clause: '3.1.2.3', says: 'compares the redirect URI with the registered ones' },
    {
      clause: '3.1.2.4',
      says: 'does not redirect to an invalid URI; tells the resource owner',
      notApplicable: FRONT_END,
    },
    { clause: '3.1.2.5', says: 'what the redirection endpoint shows', notApplicable: BY_CLIENT },
    { clause: '3.2', says: 'POST; parameters without a value are omitted, unknown ones ignored, none comes twice' },
    { clause: '3.2', says: 'TLS', shownBy: HTTP_TLS },
    { clause: '3.2.1', says: 'a public client names itself by client_id' },
    {
      clause: '3.2.1',
      says: 'authenticates the client at the token endpoint',
      shownBy: '§2.3, §4.1.3, §6',
    },
    {
      clause: '3.3',
      says: 'a default scope or a refusal; the issued scope is told; scope syntax',
      shownBy: '§4.1.1, §4.4.2, §5.2',
    },
    { clause: '4.1.1', says: 'validates the request; obtains the decision' },
    { clause: '4.1.2', says: 'codes live 10 min at most, work once, are bound; reuse revokes what they gave' },
    { clause: '4.1.2.1', says: 'tells errors to the client by redirect', notApplicable: FRONT_END },
    { clause: '4.1.3', says: 'authenticates the client; the code is its own, valid, for the same redirect URI' },
    { clause: '4.2', says: 'the implicit grant', notApplicable: NO_IMPLICIT },
    { clause: '4.3', says: 'the password grant', notApplicable: NO_PASSWORD },
    { clause: '4.4', says: 'client credentials for confidential clients only' },
    { clause: '4.4.2', says: 'authenticates the client' },
    { clause: '4.4.3', says: 'no refresh token' },
    { clause: '4.5', says: 'extension grants by absolute URI' },
    { clause: '5.1', says: 'token_type, expires_in, scope' },
    { clause: '5.1', says: 'Cache-Control: no-store, Pragma: no-cache' },
    { clause: '5.2', says: 'the error codes; 401 for a failed Authorization header' },
    {
      clause: '6',
      says: 'authenticates, checks the binding; no wider scope; the new refresh token has the same scope',
    },
    { clause: '7.1', says: 'token types', notApplicable: BY_CLIENT },
    { clause: '8', says: 'registering extensions', notApplicable: 'nothing is added to the registries' },
    { clause: '10.1', says: 'no secrets for native clients', shownBy: 'test/conformance/rfc9700.database.test.ts' },
    { clause: '10.2', says: 'authenticates the client where possible' },
    {
      clause: '10.2',
      says: 'repeated requests without the resource owner are not processed unseen',
      notApplicable: FRONT_END,
    },
    { clause: '10.3', says: 'access tokens stay confidential, and cannot be guessed' },
    { clause: '10.4', says: 'refresh tokens are bound to their client, and cannot be guessed' },
    { clause: '10.5', says: 'codes are short-lived and used once; what a reused one gave is revoked' },
    { clause: '10.6', says: 'the redirect URI of code and exchange are the same', shownBy: '§4.1.3' },
    { clause: '10.7', says: 'passwords of resource owners', notApplicable: NO_PASSWORD },
    { clause: '10.8', says: 'nothing secret in the clear', shownBy: TLS },
    { clause: '10.9', says: 'authenticates the server by TLS', shownBy: TLS },
    { clause: '10.10', says: 'guessing succeeds with 2⁻¹²⁸ at most, better 2⁻¹⁶⁰' },
    { clause: '10.11', says: 'educates about phishing', notApplicable: FRONT_END },
    { clause: '10.12', says: 'protection against CSRF', notApplicable: FRONT_END },
    { clause: '10.13', says: 'protection against clickjacking', notApplicable: FRONT_END },
    {
      clause: '10.14',
      says: 'sanitizes what it receives',
      shownBy: '§5.2; test/services/user-service.database.test.ts',
    },
    { clause: '10.15', says: 'is no open redirector', notApplicable: FRONT_END },
  ],
  '7009': [
    { clause: '2', says: 'TLS at the endpoint', shownBy: HTTP_TLS },
    { clause: '2.1', says: 'authenticates the client; refuses another client’s token; ends the token at once' },
    { clause: '2.1', says: 'a refresh token takes its access tokens with it; hints do no harm' },
    { clause: '2.2', says: '200 for what is revoked, and for what is unknown' },
    {
      clause: '2.2.1',
      says: 'unsupported_token_type; 503 with Retry-After',
      shownBy: 'test/transports/http/oauth-refusals.sqlite.test.ts',
    },
    { clause: '2.3', says: 'JSONP', notApplicable: 'optional, and unsafe: origins are named instead (CORS)' },
    {
      clause: '5',
      says: 'guards against guessing and endless retries',
      shownBy: 'test/services/limits.database.test.ts',
    },
  ],
  '7523': [
    { clause: '2.1', says: 'a single JWT; client authentication is optional, but judged where it comes' },
    { clause: '2.2', says: 'a single JWT; the client_id, where it stands beside it, is its subject' },
    { clause: '3', says: 'iss, sub and aud are required, and compared as simple strings' },
    { clause: '3', says: 'exp is required; nbf, iat and jti are judged', shownBy: '§3' },
    { clause: '3', says: 'signed, with a signature that verifies', shownBy: '§3' },
    { clause: '3.1', says: 'invalid_grant for an assertion that is not valid' },
    { clause: '3.2', says: 'invalid_client for one that does not prove the client' },
    { clause: '5', says: 'RS256 is implemented', shownBy: '§2.2' },
    { clause: '7', says: 'nothing private in assertions', notApplicable: BY_CLIENT },
  ],
  '7636': [
    { clause: '4.1', says: 'a verifier has 43 to 128 unreserved characters' },
    { clause: '4.2', says: 'S256 is mandatory to implement' },
    {
      clause: '4.3',
      says: 'plain when the method is absent',
      notApplicable: 'RFC 9700 §2.1.1: plain is not offered, so the method is named',
    },
    { clause: '4.4', says: 'ties challenge and method to the code; the code does not reveal them' },
    { clause: '4.4.1', says: 'invalid_request where a challenge is required or its method unknown' },
    { clause: '4.6', says: 'invalid_grant when verifier and challenge differ' },
    { clause: '5', says: 'clients without PKCE may be served' },
    { clause: '7.1', says: 'entropy of the verifier', notApplicable: BY_CLIENT },
    { clause: '7.2', says: 'no plain for new implementations', shownBy: '§4.2' },
    { clause: '7.5', says: 'TLS', shownBy: TLS },
  ],
  '7662': [
    { clause: '2', says: 'TLS at the endpoint', shownBy: HTTP_TLS },
    { clause: '2.1', says: 'POST; the token in the body; authenticates who asks, as a client or by a bearer token' },
    { clause: '2.2', says: 'active, and what the token says; nothing more of an inactive one' },
    { clause: '2.3', says: '401 for a client that is not proved; RFC 6750 for a bearer token' },
    {
      clause: '4',
      says: 'checks expiry, revocation, signature; no scanning of tokens',
      shownBy: '§2.1, §2.2; test/services/limits.database.test.ts',
    },
  ],
  '8414': [
    { clause: '2', says: 'issuer and endpoints; algorithms beside methods; no none' },
    {
      clause: '2',
      says: 'authorization_endpoint',
      notApplicable: `${FRONT_END}`,
    },
    {
      clause: '2.1',
      says: 'signed metadata',
      notApplicable: 'optional: the document travels over TLS from its issuer',
    },
    { clause: '3.1', says: 'GET at the well-known path; the path of the issuer at the end' },
    { clause: '3.2', says: '200 with application/json, no empty lists' },
    { clause: '3.3', says: 'the issuer is identical to the one asked for', notApplicable: BY_CLIENT },
    { clause: '5', says: 'compatibility with OpenID Connect Discovery' },
    { clause: '6.1', says: 'TLS', shownBy: HTTP_TLS },
  ],
  '8628': [
    { clause: '3.1', says: 'authenticates the client; judges the scope' },
    { clause: '3.1', says: 'POST over TLS', shownBy: HTTP_TLS },
    { clause: '3.2', says: 'device_code, user_code, verification_uri, expires_in, interval' },
    { clause: '3.3', says: 'the user reviews and decides; what follows a wrong code' },
    { clause: '3.3.1', says: 'a URI with the user code; the user still confirms it', notApplicable: FRONT_END },
    { clause: '3.3.1', says: 'offers verification_uri_complete' },
    { clause: '3.4', says: 'authenticates the client; the code is its own' },
    { clause: '3.5', says: 'authorization_pending, slow_down, access_denied, expired_token' },
    { clause: '4', says: 'device_authorization_endpoint in the metadata', shownBy: METADATA },
    { clause: '5.1', says: 'rate-limits user codes, which cannot be guessed in their lifetime' },
    { clause: '5.2', says: 'a device code cannot be guessed' },
    { clause: '5.3', says: 'tells the user which device it is', shownBy: '§3.3' },
    { clause: '5.4', says: 'warns of phishing; short lifetimes', notApplicable: FRONT_END },
    { clause: '5.5', says: 'hides the user code after use', notApplicable: FRONT_END },
    { clause: '5.6', says: 'clients that are not confidential' },
    { clause: '6.1', says: 'a character set that is easy to type; case and punctuation are ignored' },
  ],
  '8693': [
    { clause: '1.1', says: 'delegation and impersonation are told apart' },
    { clause: '2.1', says: 'authenticates the client; the parameters and how they go together' },
    { clause: '2.1', says: 'resource parameters' },
    { clause: '2.2.1', says: 'issued_token_type, token_type, expires_in, scope; a refresh token only for good reason' },
    { clause: '2.2.2', says: 'invalid_request for a bad subject or actor token; invalid_target' },
    { clause: '3', says: 'token type identifiers' },
    { clause: '4.1', says: 'the act claim, the latest actor outermost' },
    { clause: '4.2', says: 'scope and client_id of the issued token', shownBy: '§1.1, §2.1' },
    {
      clause: '4.4',
      says: 'may_act',
      notApplicable: 'who may act is decided by audience and registration; subject tokens are not foreign JWTs',
    },
    { clause: '5', says: 'privileges do not grow; derived tokens end with what they came from' },
    { clause: '6', says: 'private data travels over TLS', shownBy: TLS },
  ],
  '9440': [
    { clause: '2.1', says: 'certificates are byte sequences of their DER' },
    { clause: '2.2', says: 'Client-Cert is an item: one certificate' },
    { clause: '2.3', says: 'Client-Cert-Chain is a list of those that lead to the CA, without the first' },
    {
      clause: '2.3',
      says: 'a list may come in several lines (RFC 9110 §5.3, RFC 8941 §4.2)',
      open: 'each field must come in one line. A second line may be one that the caller sent and the proxy did not remove, so such a request is refused as invalid_request and never joined',
    },
    {
      clause: '2.4',
      says: 'the proxy removes or overwrites the fields of its callers, and sends none over connections without certificates',
      notApplicable: 'a demand on the proxy; test/interop/forwarded-certificate.slow.test.ts shows it with Envoy',
    },
    {
      clause: '3.1',
      says: 'the header list may become large',
      shownBy: 'test/transports/grpc/forwarded-certificates.sqlite.test.ts',
    },
    {
      clause: '3.3',
      says: 'answers that depend on the field are not cached',
      shownBy: 'test/transports/http/calls.sqlite.test.ts',
    },
    { clause: '4', says: 'the fields count from trusted proxies only, whose connection is secured' },
  ],
  '8705': [
    { clause: '2', says: 'client_id is there; the certificate is checked against the registration' },
    { clause: '2.1', says: 'a chain to the trusted CA, and one name of the certificate' },
    {
      clause: '2.1.2',
      says: 'exactly one subject is registered: a name, which is a subject alternative name here',
    },
    { clause: '2.2', says: 'a registered self-signed certificate, without a chain' },
    { clause: '3', says: 'the resource server compares certificate and token, and answers invalid_token' },
    { clause: '3.1', says: 'x5t#S256 in the cnf of JWTs' },
    { clause: '3.2', says: 'cnf in introspection' },
    {
      clause: '3.3',
      says: 'tls_client_certificate_bound_access_tokens in the metadata of the server',
      shownBy: METADATA,
    },
    {
      clause: '4',
      says: 'bound tokens of public clients',
      notApplicable: 'optional: the tokens of public clients are not bound',
    },
    {
      clause: '5',
      says: 'endpoint aliases',
      notApplicable: 'one port: QSCOPE_TLS_CLIENT_AUTH=request leaves callers without certificates undisturbed',
    },
    { clause: '6.1', says: 'TLS that asks for certificates, optionally', shownBy: TLS },
    { clause: '6.3', says: 'bound tokens end with their certificate', shownBy: '§3' },
    { clause: '6.5', says: 'certificates that a proxy tells of come over a trusted path' },
    { clause: '7.1', says: 'refresh tokens are bound to the client, and so to its certificate' },
    { clause: '7.2', says: 'a thumbprint of which no second preimage is found', shownBy: '§3.2' },
    { clause: '7.3', says: 'TLS versions', shownBy: TLS },
    { clause: '7.4', says: 'only trusted CAs vouch for names', shownBy: '§2.1' },
    { clause: '7.5', says: 'names are parsed with care', shownBy: 'test/transports/peer-certificate.process.test.ts' },
  ],
  '8707': [
    { clause: '2', says: 'absolute URIs without a fragment; several; invalid_target' },
    { clause: '2.1', says: 'resources at the authorization endpoint', notApplicable: FRONT_END },
    { clause: '2.2', says: 'narrows the targets when a grant is redeemed, never beyond what was granted' },
  ],
  '9068': [
    { clause: '2.1', says: 'signed, never with alg none; the type at+jwt' },
    { clause: '2.1', says: 'RS256 is among the algorithms', shownBy: 'test/services/key-service.database.test.ts' },
    { clause: '2.2', says: 'iss, exp, aud, sub, client_id, iat, jti' },
    { clause: '2.2.1', says: 'auth_time, acr, amr', notApplicable: 'QScope logs nobody in' },
    { clause: '2.2.2', says: 'identity claims', notApplicable: 'QScope keeps nothing of users but their ids' },
    { clause: '2.2.3', says: 'the scope claim, where a scope was granted' },
    {
      clause: '2.2.3.1',
      says: 'groups, roles, entitlements',
      notApplicable: 'there are none: scopes say what is permitted',
    },
    { clause: '3', says: 'aud is what was asked, else a default' },
    {
      clause: '3',
      says: 'refuses scopes of different default audiences',
      notApplicable: 'there is one default: the issuer',
    },
    { clause: '4', says: 'type, issuer, audience, signature, algorithm and times are checked' },
    { clause: '4', says: 'publishes issuer and keys', shownBy: 'test/services/key-service.database.test.ts' },
    { clause: '4', says: 'encryption', notApplicable: 'tokens are not encrypted: they hold ids, not personal data' },
    { clause: '5', says: 'the sub of a user cannot be taken for a client' },
    { clause: '6', says: 'nothing private in a token that its client can read', shownBy: '§2.2' },
  ],
  '9700': [
    { clause: '2.1', says: 'exact string comparison of redirect URIs' },
    { clause: '2.1', says: 'is no open redirector; protects against CSRF and mix-up', notApplicable: FRONT_END },
    { clause: '2.1.1', says: 'supports and enforces PKCE; mitigates downgrades' },
    {
      clause: '2.1.1',
      says: 'publishes code_challenge_methods_supported',
      shownBy: METADATA,
    },
    { clause: '2.1.2', says: 'no implicit grant' },
    { clause: '2.2.1', says: 'sender-constrained access tokens', shownBy: 'test/conformance/rfc8705.database.test.ts' },
    { clause: '2.2.2', says: 'refresh tokens of public clients rotate', shownBy: '§4.14.2' },
    { clause: '2.3', says: 'tokens reach no further than needed: audience and scope' },
    { clause: '2.4', says: 'no password grant' },
    { clause: '2.5', says: 'enforces client authentication' },
    {
      clause: '2.5',
      says: 'asymmetric client authentication',
      shownBy: 'test/conformance/rfc7523.database.test.ts, test/conformance/rfc8705.database.test.ts',
    },
    { clause: '2.6', says: 'end-to-end TLS', shownBy: TLS },
    {
      clause: '2.6',
      says: 'no redirect URIs in plaintext, save for loopback',
      shownBy: 'test/conformance/rfc6749.database.test.ts',
    },
    { clause: '2.6', says: 'no cross-origin requests at the authorization endpoint', notApplicable: FRONT_END },
    {
      clause: '2.6',
      says: 'publishes metadata (RFC 8414)',
      shownBy: METADATA,
    },
    { clause: '4.1.3', says: 'exact comparison, save the port of loopback addresses' },
    {
      clause: '4.2.4',
      says: 'a code is bound to its client and invalid after its first use',
      shownBy: '§4.5',
    },
    { clause: '4.3', says: 'nothing in browser histories', notApplicable: FRONT_END },
    {
      clause: '4.3.2',
      says: 'no access tokens in query strings',
      notApplicable: 'tokens travel in a header or in a message: no call reads one from the URL',
    },
    { clause: '4.4', says: 'mix-up', notApplicable: FRONT_END },
    { clause: '4.5', says: 'stolen codes: PKCE, and reuse revokes' },
    { clause: '4.6', says: 'access token injection', notApplicable: NO_IMPLICIT },
    { clause: '4.7', says: 'CSRF', notApplicable: FRONT_END },
    { clause: '4.8.2', says: 'a verifier for a code without a challenge is refused', shownBy: '§2.1.1' },
    { clause: '4.9.1', says: 'a counterfeit resource server cannot use what it was sent at another' },
    { clause: '4.9.2', says: 'a compromised resource server sees its own tokens only' },
    {
      clause: '4.9.2',
      says: 'tokens are handled like secrets: none in logs or in the database',
      shownBy: 'test/rpc/redact.test.ts, test/conformance/rfc6749.database.test.ts',
    },
    {
      clause: '4.10.1',
      says: 'sender-constrained access tokens',
      shownBy: 'test/conformance/rfc8705.database.test.ts',
    },
    { clause: '4.10.2', says: 'audience-restricted access tokens', shownBy: '§2.3, §4.9.1' },
    { clause: '4.11', says: 'is no open redirector', notApplicable: FRONT_END },
    { clause: '4.12', says: 'no 307 redirects', notApplicable: FRONT_END },
    {
      clause: '4.13',
      says: 'proxies clean the headers they speak for',
      notApplicable: 'no header of a proxy is trusted: peers and certificates come from the connection',
    },
    { clause: '4.14.2', says: 'refresh tokens are bound, rotated, expire unused, and can be revoked' },
    { clause: '4.15', says: 'no client can pass for a user' },
    { clause: '4.16', says: 'clickjacking', notApplicable: FRONT_END },
    { clause: '4.17', says: 'in-browser communication', notApplicable: FRONT_END },
  ],
  '9701': [
    { clause: '4', says: 'the header accept asks for a signed answer' },
    { clause: '5', says: 'iss, aud, iat, token_introspection; type and media type; no sub and exp of its own' },
    { clause: '5', says: 'only active for an inactive token; authenticates who asks' },
    {
      clause: '5',
      says: 'encryption',
      notApplicable: 'optional: the answer travels over TLS, and holds ids, no personal data',
    },
    {
      clause: '6',
      says: 'algorithms by the metadata of the client',
      notApplicable: 'the server signs with its own algorithm, which the header of the JWT names',
    },
    { clause: '7', says: 'introspection_signing_alg_values_supported' },
    { clause: '8.1', says: 'no confusion with other JWTs' },
    { clause: '8.2', says: 'TLS', shownBy: HTTP_TLS },
    { clause: '8.3', says: 'the asker sees what it may', shownBy: 'test/conformance/rfc7662.database.test.ts' },
  ],
  '9728': [
    { clause: '2', says: 'resource, authorization_servers, bearer_methods_supported' },
    {
      clause: '2.2',
      says: 'signed metadata',
      notApplicable: 'optional: the document travels over TLS from the host of the resource',
    },
    { clause: '3.1', says: 'GET at the well-known path of the resource' },
    { clause: '3.2', says: '200 with application/json; 404 where there is none' },
    { clause: '3.3', says: 'the resource is identical to the one asked for' },
    {
      clause: '4',
      says: 'protected_resources in the metadata of the server',
      notApplicable: 'optional: the list of all resources is nobody’s to read',
    },
    { clause: '5', says: 'resource_metadata in WWW-Authenticate', notApplicable: 'a demand on resource servers' },
    { clause: '7.1', says: 'TLS', shownBy: HTTP_TLS },
  ],
  // Revision 11.
  'draft-ietf-oauth-rfc7523bis': [
    {
      clause: '3',
      says: 'audiences of SAML assertions; no new use of them for client authentication',
      notApplicable: 'SAML assertions are not supported',
    },
    {
      clause: '4',
      says: 'client authentication: aud is the issuer as its sole value, never the URL of the token endpoint; every other aud is refused',
    },
    {
      clause: '4',
      says: 'authorization grants: aud is the issuer or the URL of the token endpoint',
      open: 'aud is the issuer, or the one audience that the trusted issuer is registered with, which may be that URL. Both at once are never accepted, because two names of one server are what the attacks on audiences use',
    },
    { clause: '4', says: 'audiences are compared as simple strings' },
    {
      clause: '4',
      says: 'explicitly typed client-authentication+jwt; an assertion without explicit type is not refused for that',
    },
    {
      clause: '5',
      says: 'audiences at the pushed authorization request endpoint',
      notApplicable: 'there is no such endpoint: codes come from CreateAuthorizationCode',
    },
    {
      clause: '6',
      says: 'clients are updated before servers enforce the audience',
      notApplicable: 'no version of QScope has accepted another audience',
    },
  ],
  // Revision 02.
  'draft-ietf-oauth-spiffe-client-auth': [
    {
      clause: '3.1',
      says: 'a single JWT-SVID: well-formed, not expired, only for the issuer, of a SPIFFE ID that is registered with the client',
    },
    {
      clause: '3.2',
      says: 'a leaf certificate with exactly one URI: a SPIFFE ID that is registered with the client_id',
    },
    {
      clause: '3.2',
      says: 'the key usage has digitalSignature',
      open: 'a certificate without the extension is accepted as well, because RFC 5280 §4.2.1.3 then allows every use of the key, and go-spiffe accepts it',
    },
    {
      clause: '3.2',
      says: 'the client_id is the SPIFFE ID',
      open: 'the client_id is that of the registration, with which the SPIFFE ID is associated (§3.2 item 5); the successor of revision 02 drops the demand',
    },
    {
      clause: '3.2',
      says: 'the trust anchors of X.509-SVIDs are those of the trust domain',
      open: 'they are the certificates in QSCOPE_TLS_CLIENT_CA_FILE. They vouch for every trust domain, so the file must hold only CAs that are trusted for all of them',
    },
    { clause: '3.3', says: 'WIT-SVIDs', notApplicable: 'one of the three kinds is enough (§4); two are accepted' },
    {
      clause: '4',
      says: 'spiffe_jwt and spiffe_x509 among the methods in the metadata',
      open: 'the metadata has the registered names of the methods, private_key_jwt and tls_client_auth: what rests on a draft alone is off by default',
    },
    {
      clause: '5.1',
      says: 'spiffe_id and spiffe_bundle_endpoint in Client ID Metadata Documents',
      notApplicable: 'clients are registered; no such documents are read',
    },
    { clause: '6', says: 'bundles are chosen by the trust domain' },
    {
      clause: '6.1',
      says: 'the bundle endpoint is authenticated by WebPKI, configured by hand, and polled as its refresh hint says',
      shownBy: 'test/interop/spiffe/go.slow.test.ts, test/app/key-sets.test.ts',
    },
    { clause: '6.2.3', says: 'X.509-SVIDs are not validated by the system’s trust store', shownBy: '§3.2' },
    {
      clause: '8.1',
      says: 'keys found by iss make no JWT-SVID, unless that issuer is trusted and associated with the SPIFFE ID',
      shownBy: '§6',
    },
  ],
})
