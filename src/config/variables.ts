/** A variable of the environment: what it is for, and what it should be. */
export interface Variable {
  /** Completes the sentence "QSCOPE_X should be …". */
  readonly shouldBe: string
  /** `null`: the default depends on other variables. */
  readonly fallback: string | null
  /** Whether its value is or contains a secret: masked when shown, and taken from `<name>_FILE` too. */
  readonly secret?: true
}

/** Every variable of the server, in the order in which they are shown. */
export const VARIABLES = Object.freeze({
  QSCOPE_DATABASE_URL: {
    shouldBe:
      'sqlite:<path>, sqlite::memory:, mysql://user:password@host:port/database or postgres://user:password@host:port/database, with several hosts as host:port,host:port',
    fallback: 'sqlite:./data/qscope.db',
    secret: true,
  },
  QSCOPE_SQLITE_WAL_LIMIT: {
    shouldBe:
      'a whole number of bytes from 262144 to 1073741824, that the write-ahead log of an embedded database may take; on a small volume it takes a sixteenth of it at most',
    fallback: '67108864',
  },
  QSCOPE_DATABASE_TLS: { shouldBe: 'on or off', fallback: null },
  QSCOPE_DATABASE_CA_FILE: {
    shouldBe: 'the path of a readable file of CA certificates in PEM',
    fallback: null,
  },
  QSCOPE_DATABASE_POOL_SIZE: { shouldBe: 'a whole number of connections from 3 to 500', fallback: '15' },
  QSCOPE_DATABASE_CONNECT_TIMEOUT: { shouldBe: 'a duration from 100ms to 1m, such as 5s', fallback: '5s' },
  QSCOPE_DATABASE_STATEMENT_TIMEOUT: { shouldBe: 'a duration from 1s to 10m, such as 10s', fallback: '10s' },
  QSCOPE_DATABASE_MAX_QUEUED_CALLS: {
    shouldBe: 'a whole number from 1 to 1000000, for each way into the database',
    fallback: '10000',
  },
  QSCOPE_GRPC_LISTEN: {
    shouldBe: 'host:port, such as 127.0.0.1:50051 or [::1]:50051',
    fallback: '127.0.0.1:50051',
  },
  QSCOPE_HTTP_LISTEN: {
    shouldBe: 'host:port, such as 127.0.0.1:8080, for Connect, gRPC-Web and the well-known documents, or off',
    fallback: 'off',
  },
  QSCOPE_HTTP_URL: {
    shouldBe:
      'the URL, without a path, at which callers reach QSCOPE_HTTP_LISTEN; the default is the origin of QSCOPE_ISSUER where that is set, else the address itself',
    fallback: null,
  },
  QSCOPE_HTTP_ALLOWED_ORIGINS: {
    shouldBe: 'the origins, separated by commas, of web pages that may call, such as https://console.example.com',
    fallback: null,
  },
  QSCOPE_WORKERS: {
    shouldBe: 'a whole number of processes from 1 to 64 that serve together, or auto (one for each CPU)',
    fallback: '1',
  },
  QSCOPE_TLS_CERT_FILE: {
    shouldBe: 'the path of the certificate in PEM, those that issued it after it; with it calls travel over TLS only',
    fallback: null,
  },
  QSCOPE_TLS_KEY_FILE: { shouldBe: "the path of the certificate's private key in PEM", fallback: null },
  QSCOPE_TLS_CLIENT_CA_FILE: {
    shouldBe: 'the path of the certificates in PEM of the CA that issues those of clients',
    fallback: null,
  },
  QSCOPE_TLS_CLIENT_AUTH: {
    shouldBe:
      'none, request (callers may show a certificate) or require (only from the CA); the default is request where QSCOPE_TLS_CLIENT_CA_FILE is set, else none',
    fallback: null,
  },
  QSCOPE_TLS_RELOAD_INTERVAL: {
    shouldBe: 'a duration from 100ms to 1d, such as 10s, after which changed files are noticed',
    fallback: '10s',
  },
  QSCOPE_TRUSTED_ISSUERS_FILE: {
    shouldBe: 'the path of a JSON file of issuers whose assertions stand for clients',
    fallback: null,
  },
  QSCOPE_ISSUER: {
    shouldBe: 'an https URL without query and fragment (http on loopback only, or with QSCOPE_INSECURE=1)',
    fallback: null,
  },
  QSCOPE_DEVICE_VERIFICATION_URI: { shouldBe: 'the URL of the page where users type device codes', fallback: null },
  QSCOPE_ERROR_DOCS_URL: {
    shouldBe: 'the URL where docs/errors.md can be read, which refusals link to',
    fallback: null,
  },
  QSCOPE_KEYRING_FILE: { shouldBe: 'the path of the keyring file', fallback: null },
  QSCOPE_LOG_LEVEL: { shouldBe: 'one of debug, info, warn, error, silent', fallback: 'info' },
  QSCOPE_LOG_FORMAT: { shouldBe: 'json or pretty', fallback: null },
  QSCOPE_REFLECTION: { shouldBe: 'on or off', fallback: 'on' },
  QSCOPE_INSECURE: { shouldBe: '1 to allow plaintext outside loopback, else 0', fallback: '0' },
  QSCOPE_OTLP_ENDPOINT: {
    shouldBe: 'the http or https URL of an OTLP receiver, such as http://127.0.0.1:4318; with it calls are traced',
    fallback: null,
  },
  QSCOPE_TRACE_RATIO: {
    shouldBe: 'the share of calls to trace, from 0 to 1, where no trace of the caller decides',
    fallback: '1',
  },
  QSCOPE_SHUTDOWN_GRACE: { shouldBe: 'a duration from 0s to 10m, such as 10s', fallback: '10s' },
  QSCOPE_MAX_MESSAGE_BYTES: { shouldBe: 'a whole number from 1024 to 67108864', fallback: '1048576' },
  QSCOPE_MAX_CONCURRENT_STREAMS: { shouldBe: 'a whole number from 1 to 100000', fallback: '1000' },
  QSCOPE_MAX_CONNECTION_AGE: { shouldBe: 'a duration from 10s to 7d, such as 30m', fallback: '30m' },
  QSCOPE_MINT_RATE: {
    shouldBe: 'a rate such as 100/s or 100/s:500 (500 at once), for the tokens of each client, or off',
    fallback: '10000/s:20000',
  },
  QSCOPE_MAX_LIVE_TOKENS_PER_CLIENT: {
    shouldBe: 'a whole number from 1 to 1000000000, beyond which a client mints no more, or off',
    fallback: 'off',
  },
  QSCOPE_AUTHENTICATION_FAILURES_PER_CLIENT: {
    shouldBe: 'a rate such as 60/m or 60/m:100 (100 at once), for each client from each address, or off',
    fallback: '60/m:100',
  },
  QSCOPE_AUTHENTICATION_FAILURES_PER_PEER: {
    shouldBe: 'a rate such as 600/m or 600/m:1000 (1000 at once), for each address, or off',
    fallback: '600/m:1000',
  },
  QSCOPE_DEVICE_START_RATE: {
    shouldBe: 'a rate such as 60/m or 60/m:100 (100 at once), for public clients from each address, or off',
    fallback: '60/m:60',
  },
  QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS: {
    shouldBe: 'a whole number from 1 to 1000000, for each client',
    fallback: '1000',
  },
  QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS_PER_PEER: {
    shouldBe:
      "a whole number from 1 to 1000000, for each public client from each address; at most half of the client's",
    fallback: '100',
  },
  QSCOPE_MAX_WATCHES_PER_PEER: {
    shouldBe: 'a whole number from 1 to 1000000, for each address',
    fallback: '1000',
  },
  QSCOPE_SIGNING_ALGORITHM: { shouldBe: 'ES256, EdDSA or RS256, for JWT access tokens', fallback: 'ES256' },
  QSCOPE_SIGNING_KEY_ROTATION: {
    shouldBe: 'a duration from 1d to 365d, such as 30d, after which the next key signs, or off',
    fallback: 'off',
  },
  QSCOPE_PURGE_INTERVAL: { shouldBe: 'a duration from 1s to 1d, such as 60s, or off', fallback: '60s' },
  QSCOPE_PURGE_RETENTION: { shouldBe: 'a duration from 1m to 365d, such as 1h', fallback: '1h' },
  QSCOPE_KEEPALIVE_TIME: { shouldBe: 'a duration from 10s to 1d, such as 1m', fallback: '1m' },
} satisfies Record<string, Variable>)

export type VariableName = keyof typeof VARIABLES

/** Variables that the command line reads beside those of the server. */
export const CLIENT_VARIABLES = Object.freeze({
  QSCOPE_TOKEN: { shouldBe: 'a bearer token for calls to a server', fallback: null, secret: true },
  QSCOPE_CLIENT_ID: { shouldBe: 'the id of the calling client', fallback: null },
  QSCOPE_CLIENT_SECRET: { shouldBe: 'the secret of the calling client', fallback: null, secret: true },
} satisfies Record<string, Variable>)

export type ClientVariableName = keyof typeof CLIENT_VARIABLES
