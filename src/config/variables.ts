import { EXPERIMENTS } from '../domain/experiments.ts'
import { MOST_CLOCK_SKEW } from '../domain/revocation.ts'
import { SIGNING_ALGORITHMS } from '../domain/signing-key.ts'
import { formatDuration } from './duration.ts'
import { LIMIT_VARIABLES } from './limit-variables.ts'
import { EXT_AUTHZ_VARIABLES, HTTP_VARIABLES, SOCKET_VARIABLES, TLS_VARIABLES } from './listener-variables.ts'
import { proxyNames } from './peer-names.ts'
import {
  address,
  bearerToken,
  choice,
  choices,
  databaseUrl,
  duration,
  flag,
  onOff,
  path,
  privateHosts,
  processes,
  secret,
  share,
  text,
  url,
  wholeNumber,
} from './value-types.ts'
import { byName, type ValuesOf, Variable } from './variable.ts'

/** The implementations of the gRPC transport. */
export const GRPC_TRANSPORTS = Object.freeze(['native', 'grpc-js'] as const)
export type GrpcTransportName = (typeof GRPC_TRANSPORTS)[number]

const LOG_LEVELS = Object.freeze(['debug', 'info', 'warn', 'error', 'silent'] as const)

/**
 * Every variable of the server, one row each, in the shape of `Config` and in the order in which they are shown. The
 * type of the configuration, its parsing, its messages and docs/configuration.md derive from these rows. Rules that
 * compare several variables are in rules.ts.
 */
export const SERVER_VARIABLES = {
  database: new Variable('QSCOPE_DATABASE_URL', databaseUrl(), {
    default: 'sqlite:./data/qscope.db',
    does: 'Sets the database, with its user and password. The database stores everything except the keyring.',
    secret: true,
  }),
  /** Settings of database connections. */
  connections: {
    tls: new Variable('QSCOPE_DATABASE_TLS', onOff(), {
      default: null,
      unset: 'on if QSCOPE_DATABASE_CA_FILE is set, otherwise off',
      does: 'Encrypts the connections to a database server.',
    }),
    walLimit: new Variable(
      'QSCOPE_SQLITE_WAL_LIMIT',
      wholeNumber(262_144, 1_073_741_824, 'of bytes').note(
        'for the write-ahead log of an embedded database; on a small volume at most a sixteenth of the volume is used',
      ),
      {
        default: '67108864',
        does: 'Limits the write-ahead log of an embedded database. At this size it is written back into the database file (checkpoint).',
      },
    ),
    caFile: new Variable('QSCOPE_DATABASE_CA_FILE', path('a readable file of CA certificates in PEM'), {
      default: null,
      unset: 'the authorities that Node.js trusts',
      example: '/etc/qscope/database/ca.pem',
      does: "Sets the certificate authorities that may issue the database server's certificate.",
    }),
    /** Only for a libSQL database on a server. */
    authToken: new Variable(
      'QSCOPE_DATABASE_AUTH_TOKEN',
      bearerToken('that allows reading and writing a libSQL database on a server'),
      {
        default: null,
        unset: 'no token',
        example: '/run/secrets/database-token',
        does: 'Authenticates QScope to a libSQL server, such as Turso. It is read when a process starts.',
        secret: true,
      },
    ),
    poolSize: new Variable('QSCOPE_DATABASE_POOL_SIZE', wholeNumber(3, 500, 'of connections'), {
      default: '15',
      does: 'Limits the connections of each process to a database server.',
    }),
    connectTimeoutMs: new Variable('QSCOPE_DATABASE_CONNECT_TIMEOUT', duration('100ms', '1m', '5s'), {
      default: '5s',
      does: 'Limits the time to open a connection to a database server. After this time, QScope tries the next host.',
    }),
    statementTimeoutMs: new Variable('QSCOPE_DATABASE_STATEMENT_TIMEOUT', duration('1s', '10m', '10s'), {
      default: '10s',
      does: 'Limits the time of one statement on a database server. After this time, the call fails.',
    }),
  },
  maxQueuedCalls: new Variable(
    'QSCOPE_DATABASE_MAX_QUEUED_CALLS',
    wholeNumber(1, 1_000_000).note('for reads, appends and transactions each'),
    {
      default: '10000',
      does: 'Limits the calls that wait for the database. Further calls are refused as temporarily unavailable.',
    },
  ),
  healthIntervalMs: new Variable('QSCOPE_DATABASE_HEALTH_INTERVAL', duration('100ms', '1m', '1s'), {
    default: '1s',
    does: 'Sets how often QScope checks that it can read and write the database, and that the host is usable for reads.',
  }),
  maxClockSkewMs: new Variable(
    'QSCOPE_MAX_CLOCK_SKEW',
    duration('100ms', formatDuration(MOST_CLOCK_SKEW), '10s').note(
      'between the clocks of this machine and of the database server',
    ),
    {
      default: '30s',
      does: 'Limits the clock difference to the database server. If the difference is larger, the instance issues no tokens, because their expiry and the retention of their revocation would follow different clocks. It has no effect with an embedded database.',
    },
  ),
  grpcListen: new Variable('QSCOPE_GRPC_LISTEN', address('127.0.0.1:50051 or [::1]:50051'), {
    default: '127.0.0.1:50051',
    does: 'Sets the address and port of the gRPC server.',
  }),
  grpcTransport: new Variable(
    'QSCOPE_GRPC_TRANSPORT',
    choice(GRPC_TRANSPORTS, "native (QScope's own HTTP/2) or grpc-js (the library of that name)"),
    {
      default: 'native',
      does: 'Selects the gRPC transport. Both give the same answers; native is faster.',
    },
  ),
  http: HTTP_VARIABLES,
  sockets: SOCKET_VARIABLES,
  extAuthz: EXT_AUTHZ_VARIABLES,
  workers: new Variable('QSCOPE_WORKERS', processes(64), {
    default: '1',
    does: 'Sets the number of processes that serve the same ports, to use more than one CPU.',
  }),
  tls: TLS_VARIABLES,
  trustedProxies: new Variable(
    'QSCOPE_TRUSTED_PROXIES',
    proxyNames(
      'DNS names and URIs of client certificates, or unix: and the path of a socket of this server, separated by commas, such as edge.internal,spiffe://mesh/edge or unix:/run/qscope/grpc.sock',
    ),
    {
      default: null,
      unset: 'nobody',
      does: 'Sets the proxies that may forward client certificates, in the header x-forwarded-client-cert or client-cert. A proxy is identified by a name in its own client certificate, which the client CA issued. With unix: everyone who connects to the socket is a trusted proxy.',
    },
  ),
  /** `null`: no other issuers are trusted. */
  trustedIssuersFile: new Variable('QSCOPE_TRUSTED_ISSUERS_FILE', path('a JSON file of trusted issuers'), {
    default: null,
    unset: 'no issuers',
    example: '/etc/qscope/issuers.json',
    does: 'Sets issuers, such as Kubernetes, whose assertions workloads can exchange for tokens of a client (RFC 7523).',
  }),
  /** Issuers outside of the public internet. */
  trustPrivateHosts: new Variable(
    'QSCOPE_TRUST_PRIVATE_HOSTS',
    privateHosts(
      'host names, addresses and networks, separated by commas, such as kubernetes.default.svc,10.96.0.0/12',
    ),
    {
      default: null,
      unset: 'no hosts',
      does: 'Allows QScope to fetch keys from these hosts although their addresses are not public. This applies to URLs of key sets, bundles and metadata that are set through the API. A host name allows all its addresses.',
    },
  ),
  issuer: new Variable(
    'QSCOPE_ISSUER',
    url('an https URL without query and fragment (http on loopback only, or with QSCOPE_INSECURE=1)', { query: false }),
    {
      default: null,
      unset: 'http:// (with TLS https://) and the gRPC address',
      example: 'https://qscope.example.com',
      does: 'Identifies this server, as the `iss` of its tokens and the `aud` of assertions for it. Others compare it character by character, so QScope uses it exactly as you write it.',
    },
  ),
  deviceVerificationUri: new Variable(
    'QSCOPE_DEVICE_VERIFICATION_URI',
    url('the URL of the page where users enter device codes', { query: true }),
    {
      default: null,
      unset: "the issuer's `/device`",
      example: 'https://login.example.com/device',
      does: 'Sets the page on which users enter device codes (RFC 8628).',
    },
  ),
  /** The URL of docs/errors.md. `null`: the HTTP port, if there is one. */
  errorDocsUrl: new Variable(
    'QSCOPE_ERROR_DOCS_URL',
    url('the URL where docs/errors.md can be read', { query: true }),
    {
      default: null,
      unset: 'the page on the HTTP port, or no link without that port',
      example: 'https://docs.example.com/qscope/errors',
      does: 'Sets the URL in the Help link of each refusal.',
    },
  ),
  /** `null`: the keys are generated in memory and lost at exit. */
  keyringFile: new Variable('QSCOPE_KEYRING_FILE', path('the keyring file'), {
    default: null,
    unset: 'next to an embedded database (`data/qscope.keyring.json`); required for other databases',
    example: '/var/lib/qscope/qscope.keyring.json',
    does: 'Sets the file of the keys that hash secrets, protect the audit log and encrypt signing keys. Back it up separately from the database.',
  }),
  log: {
    level: new Variable('QSCOPE_LOG_LEVEL', choice(LOG_LEVELS), {
      default: 'info',
      does: 'Sets the lowest level to log. At info, each call is one line. At debug, the line also has the request, without secrets.',
    }),
    format: new Variable('QSCOPE_LOG_FORMAT', choice(['json', 'pretty']), {
      default: null,
      unset: 'pretty on a terminal, otherwise json',
      does: 'Sets the format of log lines: JSON for machines, or pretty for people.',
    }),
  },
  reflection: new Variable(
    'QSCOPE_REFLECTION',
    choice(['on', 'off', 'auto'], 'on, off, or auto: on where QSCOPE_GRPC_LISTEN is a loopback address'),
    {
      default: 'auto',
      does: 'Turns on gRPC reflection. Tools such as grpcurl use it to read the services and messages.',
    },
  ),
  insecure: new Variable('QSCOPE_INSECURE', flag('allow plaintext outside loopback'), {
    default: '0',
    does: 'Allows plaintext on addresses that other machines can reach. Secrets are then sent unencrypted.',
  }),
  /** The destination and sampling of traces. */
  tracing: {
    endpoint: new Variable(
      'QSCOPE_OTLP_ENDPOINT',
      url('the http or https URL of an OTLP receiver, such as http://127.0.0.1:4318', { query: false }),
      {
        default: null,
        unset: 'no traces',
        does: 'Sends traces to `/v1/traces` of this OpenTelemetry collector. If unset, calls are not traced.',
      },
    ),
    ratio: new Variable('QSCOPE_TRACE_RATIO', share('calls to trace').note('unless the caller decides'), {
      default: '1',
      does: 'Sets the share of calls to trace. If the caller sends a trace context, that context decides.',
    }),
  },
  /** The destinations of audit events in addition to the database. */
  auditSinks: {
    file: new Variable('QSCOPE_AUDIT_LOG_FILE', path('a file for audit events, or - for standard output'), {
      default: null,
      unset: 'no file',
      example: '/var/log/qscope/audit.jsonl',
      does: 'Appends each audit event to this file as a line of JSON, at least once. One process at a time writes to it.',
    }),
    otlpEndpoint: new Variable(
      'QSCOPE_AUDIT_OTLP_ENDPOINT',
      url('the http or https URL of an OTLP receiver, such as http://127.0.0.1:4318', { query: false }),
      {
        default: null,
        unset: 'no receiver',
        does: 'Sends each audit event as a log record to `/v1/logs` of this OpenTelemetry collector, at least once. One process at a time sends.',
      },
    ),
  },
  /** Counts the scopes that clients use, from the audit log. */
  usage: {
    isCounted: new Variable('QSCOPE_USAGE', onOff(), {
      default: 'off',
      does: 'Counts in the audit log which scopes clients request and are granted. One process at a time counts.',
    }),
    retentionMs: new Variable('QSCOPE_USAGE_RETENTION', duration('1d', '3650d', '400d'), {
      default: '400d',
      does: 'Sets how long the counts of used scopes are kept.',
    }),
  },
  shutdownGraceMs: new Variable('QSCOPE_SHUTDOWN_GRACE', duration('0s', '10m', '10s'), {
    default: '10s',
    does: 'Limits how long running calls may continue when the server stops.',
  }),
  maxMessageBytes: new Variable('QSCOPE_MAX_MESSAGE_BYTES', wholeNumber(1_024, 67_108_864), {
    default: '1048576',
    does: 'Limits the size of a request. Larger requests are refused.',
  }),
  maxConcurrentStreams: new Variable('QSCOPE_MAX_CONCURRENT_STREAMS', wholeNumber(1, 100_000), {
    default: '1000',
    does: 'Limits the concurrent calls of one connection.',
  }),
  maxConnectionAgeMs: new Variable('QSCOPE_MAX_CONNECTION_AGE', duration('10s', '7d', '30m'), {
    default: '30m',
    does: 'Closes connections gracefully at this age, so that clients reconnect and find new instances.',
  }),
  limits: LIMIT_VARIABLES,
  experimental: new Variable(
    'QSCOPE_EXPERIMENTAL',
    choices(EXPERIMENTS, `names of experiments, separated by commas: ${EXPERIMENTS.join(', ')}`),
    {
      default: null,
      unset: 'none',
      does: 'Turns on features that implement unfinished drafts. They may change in any version.',
    },
  ),
  signingAlgorithm: new Variable('QSCOPE_SIGNING_ALGORITHM', choice(SIGNING_ALGORITHMS).note('for JWT access tokens'), {
    default: 'ES256',
    does: 'Sets the algorithm of new signing keys.',
  }),
  /** `null`: signing keys are only replaced manually. */
  signingKeyRotationMs: new Variable('QSCOPE_SIGNING_KEY_ROTATION', duration('1d', '365d', '30d').orOff(), {
    default: 'off',
    does: 'Replaces a signing key automatically at this age.',
  }),
  /** `null`: this process does not purge by itself. */
  purgeIntervalMs: new Variable('QSCOPE_PURGE_INTERVAL', duration('1s', '1d', '60s').orOff(), {
    default: '60s',
    does: 'Sets how often expired tokens, codes and grants are deleted from the database.',
  }),
  purgeRetentionMs: new Variable('QSCOPE_PURGE_RETENTION', duration('1m', '365d', '1h'), {
    default: '1h',
    does: 'Sets how long expired rows are kept before they are deleted. With a database server, at least twice QSCOPE_MAX_CLOCK_SKEW.',
  }),
  keepaliveTimeMs: new Variable('QSCOPE_KEEPALIVE_TIME', duration('10s', '1d', '1m'), {
    default: '1m',
    does: 'Pings a client after this time without traffic on its connection.',
  }),
}

/** The values of the server's variables, each parsed on its own. */
export type Values = ValuesOf<typeof SERVER_VARIABLES>

/** The variables of the server by name. */
export const VARIABLES = byName(SERVER_VARIABLES)
export type VariableName = keyof typeof VARIABLES

/** Variables of the command line in addition to those of the server. */
export const CLIENT_VARIABLES = byName({
  server: new Variable('QSCOPE_SERVER', text('host:port of a server'), {
    default: null,
    unset: 'the current context, or the configured database',
    example: 'qscope.example.com:50051',
    does: 'Makes the command line call this server.',
  }),
  context: new Variable('QSCOPE_CONTEXT', text('the name of a context'), {
    default: null,
    unset: 'the current context',
    example: 'production',
    does: 'Makes the command line use this context, unless QSCOPE_SERVER is set.',
  }),
  token: new Variable('QSCOPE_TOKEN', secret('a bearer token for calls to a server'), {
    default: null,
    unset: 'no token',
    example: '/run/secrets/token',
    does: 'Authenticates the command line with a bearer token.',
    secret: true,
  }),
  clientId: new Variable('QSCOPE_CLIENT_ID', text('the id of the calling client'), {
    default: null,
    unset: 'no client',
    example: 'orders',
    does: 'Authenticates the command line as this client, together with QSCOPE_CLIENT_SECRET or QSCOPE_CLIENT_ASSERTION_FILE.',
  }),
  clientSecret: new Variable('QSCOPE_CLIENT_SECRET', secret('the secret of the calling client'), {
    default: null,
    unset: 'no secret',
    example: '/run/secrets/client-secret',
    does: 'Authenticates the command line as QSCOPE_CLIENT_ID.',
    secret: true,
  }),
  clientAssertionFile: new Variable(
    'QSCOPE_CLIENT_ASSERTION_FILE',
    path("a file with the token of the calling client's platform"),
    {
      default: null,
      unset: 'no assertion',
      example: '/var/run/secrets/tokens/qscope',
      does: 'Authenticates the command line as QSCOPE_CLIENT_ID with the token of its platform (federated_jwt) instead of a secret. The file is read for each call.',
    },
  ),
})
export type ClientVariableName = keyof typeof CLIENT_VARIABLES

/** All variables by name. */
export const KNOWN_VARIABLES: ReadonlyMap<string, Variable> = new Map(
  Object.entries<Variable>({ ...VARIABLES, ...CLIENT_VARIABLES }),
)
