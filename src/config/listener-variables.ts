import { peerNames } from './peer-names.ts'
import { address, choice, duration, fileMode, onOff, origin, origins, path, socketPath } from './value-types.ts'
import { Variable } from './variable.ts'

/** The HTTP port. */
export const HTTP_VARIABLES = {
  listen: new Variable('QSCOPE_HTTP_LISTEN', address('127.0.0.1:8080').orOff(), {
    default: 'off',
    does: 'Opens the HTTP port: Connect, gRPC-Web, JSON, OAuth forms, the well-known documents, health and metrics.',
  }),
  /** `null`: the address itself, with its actual port. */
  url: new Variable('QSCOPE_HTTP_URL', origin('the URL, without a path, at which callers reach QSCOPE_HTTP_LISTEN'), {
    default: null,
    unset: 'the origin of QSCOPE_ISSUER if it is set and is not the gRPC port, otherwise the address',
    example: 'https://qscope.example.com',
    does: 'Sets the public URL of the HTTP port, for the links in the metadata document (RFC 8414).',
  }),
  oauth: new Variable('QSCOPE_HTTP_OAUTH', onOff(), {
    default: 'on',
    does: 'Serves the OAuth endpoints on the HTTP port: /oauth2/token, /oauth2/introspect, /oauth2/revoke and /oauth2/device_authorization.',
  }),
  allowedOrigins: new Variable(
    'QSCOPE_HTTP_ALLOWED_ORIGINS',
    origins('the origins of web pages, separated by commas, such as https://console.example.com'),
    {
      default: null,
      unset: 'no origins',
      does: 'Allows web pages of these origins to call the HTTP port from a browser (CORS).',
    },
  ),
  console: new Variable('QSCOPE_CONSOLE', onOff(), {
    default: 'off',
    does: 'Serves the web console at /console/ of the HTTP port. With it you manage clients, users, trusted issuers and signing keys, read the audit log and inspect tokens. Outside loopback it requires TLS, even with QSCOPE_INSECURE=1.',
  }),
}

/** Unix domain sockets in addition to the ports, for proxies on the same machine. */
export const SOCKET_VARIABLES = {
  grpc: new Variable('QSCOPE_GRPC_SOCKET', socketPath('a Unix domain socket'), {
    default: null,
    unset: 'no socket',
    example: '/run/qscope/grpc.sock',
    does: 'Serves gRPC, in plaintext, at this Unix domain socket in addition to QSCOPE_GRPC_LISTEN.',
  }),
  http: new Variable('QSCOPE_HTTP_SOCKET', socketPath('a Unix domain socket'), {
    default: null,
    unset: 'no socket',
    example: '/run/qscope/http.sock',
    does: 'Serves HTTP, in plaintext, at this Unix domain socket in addition to QSCOPE_HTTP_LISTEN.',
  }),
  mode: new Variable('QSCOPE_SOCKET_MODE', fileMode(), {
    default: '0660',
    does: 'Sets the permissions of both socket files. To connect, a process needs write permission for the file and search permission for its directory.',
  }),
}

/** Envoy's external authorization, on the gRPC port. */
export const EXT_AUTHZ_VARIABLES = {
  on: new Variable('QSCOPE_EXT_AUTHZ', onOff(), {
    default: 'off',
    does: "Serves Envoy's external authorization (envoy.service.auth.v3) on the gRPC port, to the peers of QSCOPE_EXT_AUTHZ_PEERS.",
  }),
  peers: new Variable(
    'QSCOPE_EXT_AUTHZ_PEERS',
    peerNames(
      'DNS names and URIs of client certificates, unix: and the path of QSCOPE_GRPC_SOCKET, or the word loopback, separated by commas, such as envoy.internal,spiffe://mesh/envoy',
    ),
    {
      default: null,
      unset: 'nobody',
      does: 'Sets who may call external authorization. A caller is identified by a name in its client certificate, which the client CA issued. unix: allows callers at the socket. loopback allows TCP callers on the same host.',
    },
  ),
}

/** TLS on both ports. The files are read at the start and when they change. */
export const TLS_VARIABLES = {
  certFile: new Variable(
    'QSCOPE_TLS_CERT_FILE',
    path('the certificate in PEM, followed by its intermediate certificates'),
    {
      default: null,
      unset: 'plaintext',
      example: '/etc/qscope/tls/tls.crt',
      does: 'Turns on TLS for both ports, with this certificate. Plaintext is then refused.',
    },
  ),
  keyFile: new Variable('QSCOPE_TLS_KEY_FILE', path("the certificate's private key in PEM"), {
    default: null,
    unset: 'plaintext',
    example: '/etc/qscope/tls/tls.key',
    does: 'Sets the private key of QSCOPE_TLS_CERT_FILE. It must not be encrypted.',
  }),
  /** `null`: there is no CA for client certificates, so only thumbprints identify clients. */
  clientCaFile: new Variable('QSCOPE_TLS_CLIENT_CA_FILE', path('the CA certificates in PEM'), {
    default: null,
    unset: 'no authorities',
    example: '/etc/qscope/tls/client-ca.crt',
    does: 'Sets the certificate authorities that may issue client certificates, for clients that authenticate with one (RFC 8705).',
  }),
  /** `request`: callers may present a certificate of any issuer. `require`: callers must present a certificate of the CA. */
  clientAuth: new Variable(
    'QSCOPE_TLS_CLIENT_AUTH',
    choice(
      ['none', 'request', 'require'],
      'none, request (callers may present a certificate) or require (callers must present a certificate of the CA)',
    ),
    {
      default: null,
      unset: 'request if QSCOPE_TLS_CLIENT_CA_FILE is set, otherwise none',
      does: 'Sets whether the server requests or requires client certificates.',
    },
  ),
  reloadIntervalMs: new Variable('QSCOPE_TLS_RELOAD_INTERVAL', duration('100ms', '1d', '10s'), {
    default: '10s',
    does: 'Sets how often QScope checks the TLS files for changes. It uses a renewed certificate without a restart.',
  }),
}
