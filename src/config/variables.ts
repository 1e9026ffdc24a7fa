/** A variable of the environment: what it is for, and what it should be. */
export interface Variable {
  /** What it changes, in a sentence or two for whoever sets it. */
  readonly does: string
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
    does: 'Names the database in which everything but the keyring is stored, and how to log in to it.',
    shouldBe:
      'sqlite:<path>, sqlite::memory:, mysql://user:password@host:port/database or postgres://user:password@host:port/database, with several hosts as host:port,host:port',
    fallback: 'sqlite:./data/qscope.db',
    secret: true,
  },
  QSCOPE_DATABASE_TLS: {
    does: 'Encrypts the connections to a database server. The default is on where QSCOPE_DATABASE_CA_FILE is set.',
    shouldBe: 'on or off',
    fallback: null,
  },
  QSCOPE_SQLITE_WAL_LIMIT: {
    does: 'Bounds the write-ahead log of an embedded database, which otherwise grows until it is folded back into the database file.',
    shouldBe:
      'a whole number of bytes from 262144 to 1073741824, that the write-ahead log of an embedded database may take; on a small volume it takes a sixteenth of it at most',
    fallback: '67108864',
  },
  QSCOPE_DATABASE_CA_FILE: {
    does: "Verifies the database server's certificate against these authorities instead of those that Node.js trusts.",
    shouldBe: 'the path of a readable file of CA certificates in PEM',
    fallback: null,
  },
  QSCOPE_DATABASE_POOL_SIZE: {
    does: 'Limits the connections of each process to a database server.',
    shouldBe: 'a whole number of connections from 3 to 500',
    fallback: '15',
  },
  QSCOPE_DATABASE_CONNECT_TIMEOUT: {
    does: 'Limits how long opening a connection to a database server may take before the next host is tried.',
    shouldBe: 'a duration from 100ms to 1m, such as 5s',
    fallback: '5s',
  },
  QSCOPE_DATABASE_STATEMENT_TIMEOUT: {
    does: 'Limits how long a database server may take for one statement before the call that needs it fails.',
    shouldBe: 'a duration from 1s to 10m, such as 10s',
    fallback: '10s',
  },
  QSCOPE_DATABASE_MAX_QUEUED_CALLS: {
    does: 'Limits how many calls wait for the database; further calls are refused as temporarily unavailable.',
    shouldBe: 'a whole number from 1 to 1000000, for each way into the database',
    fallback: '10000',
  },
  QSCOPE_GRPC_LISTEN: {
    does: 'Sets the address and port of the gRPC server.',
    shouldBe: 'host:port, such as 127.0.0.1:50051 or [::1]:50051',
    fallback: '127.0.0.1:50051',
  },
  QSCOPE_HTTP_LISTEN: {
    does: 'Opens a second port, for HTTP: Connect, gRPC-Web, JSON, the well-known documents, health and metrics.',
    shouldBe: 'host:port, such as 127.0.0.1:8080, for Connect, gRPC-Web and the well-known documents, or off',
    fallback: 'off',
  },
  QSCOPE_HTTP_URL: {
    does: 'Says where callers reach the HTTP port, for the links in the metadata document (RFC 8414).',
    shouldBe:
      'the URL, without a path, at which callers reach QSCOPE_HTTP_LISTEN; the default is the origin of QSCOPE_ISSUER where that is set and is not the port for gRPC, else the address itself',
    fallback: null,
  },
  QSCOPE_HTTP_ALLOWED_ORIGINS: {
    does: 'Allows web pages of these origins to call the HTTP port from a browser (CORS).',
    shouldBe: 'the origins, separated by commas, of web pages that may call, such as https://console.example.com',
    fallback: null,
  },
  QSCOPE_WORKERS: {
    does: 'Sets how many processes serve the same ports, to use more than one CPU.',
    shouldBe: 'a whole number of processes from 1 to 64 that serve together, or auto (one for each CPU)',
    fallback: '1',
  },
  QSCOPE_TLS_CERT_FILE: {
    does: 'Turns TLS on for both ports, with this certificate.',
    shouldBe: 'the path of the certificate in PEM, those that issued it after it; with it calls travel over TLS only',
    fallback: null,
  },
  QSCOPE_TLS_KEY_FILE: {
    does: 'Names the private key of QSCOPE_TLS_CERT_FILE; it must not be encrypted.',
    shouldBe: "the path of the certificate's private key in PEM",
    fallback: null,
  },
  QSCOPE_TLS_CLIENT_CA_FILE: {
    does: 'Trusts client certificates that these authorities issued, for clients that authenticate with one (RFC 8705).',
    shouldBe: 'the path of the certificates in PEM of the CA that issues those of clients',
    fallback: null,
  },
  QSCOPE_TLS_CLIENT_AUTH: {
    does: 'Decides whether callers are asked for a certificate, and whether they must have one.',
    shouldBe:
      'none, request (callers may show a certificate) or require (only from the CA); the default is request where QSCOPE_TLS_CLIENT_CA_FILE is set, else none',
    fallback: null,
  },
  QSCOPE_TLS_RELOAD_INTERVAL: {
    does: 'Sets how often the TLS files are looked at, so that a renewed certificate is used without a restart.',
    shouldBe: 'a duration from 100ms to 1d, such as 10s, after which changed files are noticed',
    fallback: '10s',
  },
  QSCOPE_TRUSTED_ISSUERS_FILE: {
    does: 'Lets workloads exchange assertions of other issuers, such as Kubernetes, for tokens of a client (RFC 7523).',
    shouldBe: 'the path of a JSON file of issuers whose assertions stand for clients',
    fallback: null,
  },
  QSCOPE_ISSUER: {
    does: 'Identifies this server: the `iss` of its tokens and the `aud` of assertions made for it. Others compare it character by character, so it is kept as it is written. The default is made of the gRPC address.',
    shouldBe: 'an https URL without query and fragment (http on loopback only, or with QSCOPE_INSECURE=1)',
    fallback: null,
  },
  QSCOPE_DEVICE_VERIFICATION_URI: {
    does: "Tells devices at which page their user types the code (RFC 8628). The default is the issuer's `/device`.",
    shouldBe: 'the URL of the page where users type device codes',
    fallback: null,
  },
  QSCOPE_ERROR_DOCS_URL: {
    does: 'Sets the page that the Help link of each refusal leads to. The default is the page that the HTTP port serves; without that port refusals have no link.',
    shouldBe:
      'the URL where docs/errors.md can be read, which refusals link to; the default is the page that the HTTP port serves, and no link without that port',
    fallback: null,
  },
  QSCOPE_KEYRING_FILE: {
    does: 'Names the file of the keys that hash secrets, seal the audit log and encrypt signing keys. Keep a copy apart from the database.',
    shouldBe: 'the path of the keyring file',
    fallback: null,
  },
  QSCOPE_LOG_LEVEL: {
    does: 'Sets which lines are logged. At info each call leaves one line; at debug also its request, secrets left out.',
    shouldBe: 'one of debug, info, warn, error, silent',
    fallback: 'info',
  },
  QSCOPE_LOG_FORMAT: {
    does: 'Sets how log lines are written: as JSON for machines, or for people. The default is pretty on a terminal, else json.',
    shouldBe: 'json or pretty',
    fallback: null,
  },
  QSCOPE_REFLECTION: {
    does: 'Lets tools such as grpcurl ask the server for its services and messages (gRPC reflection).',
    shouldBe: 'on, off, or auto: on where QSCOPE_GRPC_LISTEN is a loopback address',
    fallback: 'auto',
  },
  QSCOPE_INSECURE: {
    does: 'Allows addresses that other machines can reach without TLS. Secrets then travel in plaintext.',
    shouldBe: '1 to allow plaintext outside loopback, else 0',
    fallback: '0',
  },
  QSCOPE_OTLP_ENDPOINT: {
    does: 'Sends traces to this OpenTelemetry collector, to its `/v1/traces`. Without it no call is traced.',
    shouldBe: 'the http or https URL of an OTLP receiver, such as http://127.0.0.1:4318; with it calls are traced',
    fallback: null,
  },
  QSCOPE_TRACE_RATIO: {
    does: 'Sets the share of calls that are traced where the caller has not decided.',
    shouldBe: 'the share of calls to trace, from 0 to 1, where no trace of the caller decides',
    fallback: '1',
  },
  QSCOPE_SHUTDOWN_GRACE: {
    does: 'Sets how long running calls may take to finish when the server stops.',
    shouldBe: 'a duration from 0s to 10m, such as 10s',
    fallback: '10s',
  },
  QSCOPE_MAX_MESSAGE_BYTES: {
    does: 'Limits the size of a request; larger ones are refused.',
    shouldBe: 'a whole number from 1024 to 67108864',
    fallback: '1048576',
  },
  QSCOPE_MAX_CONCURRENT_STREAMS: {
    does: 'Limits how many calls one connection may have open at once.',
    shouldBe: 'a whole number from 1 to 100000',
    fallback: '1000',
  },
  QSCOPE_MAX_CONNECTION_AGE: {
    does: 'Sets after how long connections are closed gracefully, so that clients spread over new instances.',
    shouldBe: 'a duration from 10s to 7d, such as 30m',
    fallback: '30m',
  },
  QSCOPE_MINT_RATE: {
    does: 'Limits how fast each client is issued tokens without a user, in each process.',
    shouldBe: 'a rate such as 100/s or 100/s:500 (500 at once), for the tokens of each client, or off',
    fallback: '10000/s:20000',
  },
  QSCOPE_MAX_LIVE_TOKENS_PER_CLIENT: {
    does: 'Limits how many tokens without a user a client may have that have not expired.',
    shouldBe: 'a whole number from 1 to 1000000000, beyond which a client mints no more, or off',
    fallback: 'off',
  },
  QSCOPE_AUTHENTICATION_FAILURES_PER_CLIENT: {
    does: 'Limits failed authentications as one client from one address; beyond it further attempts are refused unread.',
    shouldBe: 'a rate such as 60/m or 60/m:100 (100 at once), for each client from each address, or off',
    fallback: '60/m:100',
  },
  QSCOPE_AUTHENTICATION_FAILURES_PER_PEER: {
    does: 'Limits failed authentications from one address, whichever client they name.',
    shouldBe: 'a rate such as 600/m or 600/m:1000 (1000 at once), for each address, or off',
    fallback: '600/m:1000',
  },
  QSCOPE_DEVICE_START_RATE: {
    does: 'Limits how fast one address starts device authorizations for public clients.',
    shouldBe: 'a rate such as 60/m or 60/m:100 (100 at once), for public clients from each address, or off',
    fallback: '60/m:60',
  },
  QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS: {
    does: 'Limits how many device authorizations of one client may wait for their user.',
    shouldBe: 'a whole number from 1 to 1000000, for each client',
    fallback: '1000',
  },
  QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS_PER_PEER: {
    does: 'Limits how many of them one address may have started, so that it cannot use up those of the others.',
    shouldBe:
      "a whole number from 1 to 1000000, for each public client from each address; at most half of the client's",
    fallback: '100',
  },
  QSCOPE_MAX_WATCHES_PER_PEER: {
    does: 'Limits how many WatchDeviceAuthorization streams one address may have open.',
    shouldBe: 'a whole number from 1 to 1000000, for each address',
    fallback: '1000',
  },
  QSCOPE_SIGNING_ALGORITHM: {
    does: 'Sets the algorithm of new signing keys, which sign JWT access tokens.',
    shouldBe: 'ES256, EdDSA or RS256, for JWT access tokens',
    fallback: 'ES256',
  },
  QSCOPE_SIGNING_KEY_ROTATION: {
    does: 'Replaces the signing key by itself at this age.',
    shouldBe: 'a duration from 1d to 365d, such as 30d, after which the next key signs, or off',
    fallback: 'off',
  },
  QSCOPE_PURGE_INTERVAL: {
    does: 'Sets how often expired tokens, codes and grants are deleted from the database.',
    shouldBe: 'a duration from 1s to 1d, such as 60s, or off',
    fallback: '60s',
  },
  QSCOPE_PURGE_RETENTION: {
    does: 'Sets how long they are kept after they ended.',
    shouldBe: 'a duration from 1m to 365d, such as 1h',
    fallback: '1h',
  },
  QSCOPE_KEEPALIVE_TIME: {
    does: 'Sets after how long without traffic a connection is asked whether its client is still there.',
    shouldBe: 'a duration from 10s to 1d, such as 1m',
    fallback: '1m',
  },
} satisfies Record<string, Variable>)

export type VariableName = keyof typeof VARIABLES

/** Variables that the command line reads beside those of the server. */
export const CLIENT_VARIABLES = Object.freeze({
  QSCOPE_TOKEN: {
    does: 'Authenticates the command line with a bearer token.',
    shouldBe: 'a bearer token for calls to a server',
    fallback: null,
    secret: true,
  },
  QSCOPE_CLIENT_ID: {
    does: 'Authenticates the command line as this client, together with QSCOPE_CLIENT_SECRET.',
    shouldBe: 'the id of the calling client',
    fallback: null,
  },
  QSCOPE_CLIENT_SECRET: {
    does: 'Authenticates the command line as QSCOPE_CLIENT_ID.',
    shouldBe: 'the secret of the calling client',
    fallback: null,
    secret: true,
  },
} satisfies Record<string, Variable>)

export type ClientVariableName = keyof typeof CLIENT_VARIABLES

/** All of them by name. */
export const KNOWN_VARIABLES: ReadonlyMap<string, Variable> = new Map(
  Object.entries<Variable>({ ...VARIABLES, ...CLIENT_VARIABLES }),
)
