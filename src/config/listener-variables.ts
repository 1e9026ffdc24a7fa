import { peerNames } from './peer-names.ts'
import { address, choice, duration, fileMode, onOff, origin, origins, path, socketPath } from './value-types.ts'
import { Variable } from './variable.ts'

/** The HTTP port. */
export const HTTP_VARIABLES = {
  listen: new Variable(
    'QSCOPE_HTTP_LISTEN',
    address('127.0.0.1:8080').note('for Connect, gRPC-Web and the well-known documents').orOff(),
    {
      default: 'off',
      does: 'Opens the HTTP port: Connect, gRPC-Web, JSON, OAuth forms, the well-known documents, health and metrics.',
    },
  ),
  /** `null`: the address itself, with its actual port. */
  url: new Variable('QSCOPE_HTTP_URL', origin('the URL, without a path, at which callers reach QSCOPE_HTTP_LISTEN'), {
    default: null,
    unset: 'the origin of QSCOPE_ISSUER if that is set and is not the gRPC port, else the address itself',
    does: 'Sets the public URL of the HTTP port, for the links in the metadata document (RFC 8414).',
  }),
  oauth: new Variable('QSCOPE_HTTP_OAUTH', onOff(), {
    default: 'on',
    does: 'Serves the OAuth endpoints on the HTTP port: /oauth2/token, /oauth2/introspect, /oauth2/revoke and /oauth2/device_authorization.',
  }),
  allowedOrigins: new Variable(
    'QSCOPE_HTTP_ALLOWED_ORIGINS',
    origins('the origins, separated by commas, of web pages that may call, such as https://console.example.com'),
    {
      default: null,
      unset: 'no origins',
      does: 'Allows web pages of these origins to call the HTTP port from a browser (CORS).',
    },
  ),
  console: new Variable('QSCOPE_CONSOLE', onOff(), {
    default: 'off',
    does: 'Serves the console, a page to look after clients, signing keys and the audit log, and to explain tokens, at /console/ of the HTTP port. Beyond loopback it needs TLS, whatever QSCOPE_INSECURE says.',
  }),
}

/** Unix domain sockets in addition to the ports, for proxies on the same machine. */
export const SOCKET_VARIABLES = {
  grpc: new Variable('QSCOPE_GRPC_SOCKET', socketPath('a Unix domain socket'), {
    default: null,
    unset: 'no socket',
    does: 'Serves gRPC at this Unix domain socket too, in plaintext, beside QSCOPE_GRPC_LISTEN.',
  }),
  http: new Variable('QSCOPE_HTTP_SOCKET', socketPath('a Unix domain socket'), {
    default: null,
    unset: 'no socket',
    does: 'Serves what the HTTP port serves at this Unix domain socket too, in plaintext, beside QSCOPE_HTTP_LISTEN.',
  }),
  mode: new Variable('QSCOPE_SOCKET_MODE', fileMode(), {
    default: '0660',
    does: 'Sets the permissions of both socket files. Whoever may write to a file, and search its directory, may connect.',
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
      'DNS names and URIs of client certificates, unix: with the path of QSCOPE_GRPC_SOCKET, or the word loopback, separated by commas, such as envoy.internal,spiffe://mesh/envoy',
    ),
    {
      default: null,
      unset: 'nobody',
      does: 'Sets who may call external authorization. A name matches if the client certificate, issued by the client CA, has exactly this name. unix: allows callers at the socket, loopback those who come by TCP from the same host.',
    },
  ),
}

/** TLS on both ports. The files are read at the start and when they change. */
export const TLS_VARIABLES = {
  certFile: new Variable(
    'QSCOPE_TLS_CERT_FILE',
    path('the certificate in PEM, those that issued it after it; with it calls travel over TLS only'),
    { default: null, unset: 'plaintext', does: 'Turns TLS on for both ports, with this certificate.' },
  ),
  keyFile: new Variable('QSCOPE_TLS_KEY_FILE', path("the certificate's private key in PEM"), {
    default: null,
    unset: 'plaintext',
    does: 'Sets the private key of QSCOPE_TLS_CERT_FILE. It must not be encrypted.',
  }),
  /** `null`: there is no CA for client certificates, so only thumbprints identify clients. */
  clientCaFile: new Variable(
    'QSCOPE_TLS_CLIENT_CA_FILE',
    path('the certificates in PEM of the CA that issues those of clients'),
    {
      default: null,
      unset: 'no authorities',
      does: 'Sets the authorities whose client certificates are trusted, for clients that authenticate with one (RFC 8705).',
    },
  ),
  /** `request`: callers may present a certificate of any issuer. `require`: callers must present a certificate of the CA. */
  clientAuth: new Variable(
    'QSCOPE_TLS_CLIENT_AUTH',
    choice(
      ['none', 'request', 'require'],
      'none, request (callers may show a certificate) or require (only from the CA)',
    ),
    {
      default: null,
      unset: 'request if QSCOPE_TLS_CLIENT_CA_FILE is set, else none',
      does: 'Sets whether callers are asked for a certificate, and whether they need one.',
    },
  ),
  reloadIntervalMs: new Variable(
    'QSCOPE_TLS_RELOAD_INTERVAL',
    duration('100ms', '1d', '10s').note('after which changed files are noticed'),
    {
      default: '10s',
      does: 'Sets how often the TLS files are checked for changes. A renewed certificate is used without a restart.',
    },
  ),
}
