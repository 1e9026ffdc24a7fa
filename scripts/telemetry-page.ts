import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { FlowMetrics } from '../src/telemetry/flow-metrics.ts'
import { KeyMetrics } from '../src/telemetry/key-metrics.ts'
import type { Metric } from '../src/telemetry/metric.ts'
import { CallMetrics } from '../src/telemetry/observe-calls.ts'
import { StoreMetrics } from '../src/telemetry/observe-stores.ts'
import { stateMetrics } from '../src/telemetry/state-metrics.ts'
import { TraceMetrics } from '../src/telemetry/tracer.ts'

const ALERTS = join(import.meta.dirname, '..', 'deploy', 'prometheus', 'alerts.yaml')

/** Nothing is read: the page tells what metrics are, not what they say. */
const nobody = () => {
  throw new Error('no server runs')
}
const NO_SERVER = {
  serving: nobody,
  draining: nobody,
  load: nobody,
  purge: nobody,
  polls: nobody,
  audit: nobody,
  clockAheadMs: nobody,
  keyAges: nobody,
  signingKeys: nobody,
}

interface Alerts {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string
      readonly for?: string
      readonly labels: { readonly severity: string }
      readonly annotations: { readonly description: string }
    }[]
  }[]
}

/** docs/telemetry.md, its tables made of the metrics themselves and of the alert rules. */
export function telemetryPage(): string {
  const { groups }: Alerts = parse(readFileSync(ALERTS, 'utf8'))
  const alerts = groups
    .flatMap(({ rules }) => rules)
    .map(
      ({ alert, labels, for: patience, annotations }) =>
        `| ${alert} | ${labels.severity} | ${patience ?? 'at once'} | ${annotations.description} |`,
    )
  return `# Telemetry

\`npm run docs\` generates this page, with tables from the metrics in \`src/telemetry\` and from \`deploy/prometheus/alerts.yaml\`.

QScope writes a log line for each call, has metrics for Prometheus, and sends traces to any OTLP collector. To follow a call, search log lines,
audit events and spans for its ray id, which callers get in \`x-ray-id\`. The log line of a traced call also has the trace id (\`traceId\`).

## Log

The log is JSON lines on standard error. On a terminal, or with \`QSCOPE_LOG_FORMAT=pretty\`, it is readable text. Every JSON line begins with
these members, in this order:

| member | value |
|---|---|
| \`level\` | \`debug\`, \`info\`, \`warn\` or \`error\` |
| \`time\` | ISO 8601, in UTC, with milliseconds |
| \`service\` | \`qscope\` |
| \`version\` | the running version |
| \`msg\` | a fixed text for the event; \`call\` for calls |
| \`worker\`, \`pid\` | the process that wrote the line, with several workers |

The members of the event follow, such as \`rayId\`, \`method\`, \`code\`, \`reason\`, \`durationMs\`, \`peer\` and \`clientId\`
of a call, or \`err\` with \`type\`, \`message\` and \`stack\`. No line has a secret. Text from callers is cut after 2,048
characters.

## Metrics

\`/metrics\` on the HTTP port (\`QSCOPE_HTTP_LISTEN\`) returns Prometheus' text format. Restrict the port to your Prometheus: metrics have no
secrets and no client names, but show how many tokens you issue, and by which grants.

\`\`\`yaml
scrape_configs:
  - job_name: qscope
    static_configs:
      - targets: [qscope-0.internal:8080, qscope-1.internal:8080]
\`\`\`

Label values come from fixed sets: methods, statuses, reasons, grants. Input of callers never becomes a label, so the number of series is
bounded. Health checks, reflection, and calls that the transport refuses (an unknown method, an oversized message) are not counted.

### Calls

${tableOf(new CallMetrics().metrics)}

### Tokens, races, audit

${tableOf(new FlowMetrics().metrics)}

### Database

Look-ups of concurrent calls are batched, and mints and exchanges share commits ([architecture](architecture.md)). A wait is that of the first call of
its batch, which waited longest.

${tableOf(new StoreMetrics().metrics)}

### Keys of trusted issuers and clients

\`source\` is \`file\`, \`jwks_uri\`, \`discovery\`, \`bundle\` (a SPIFFE trust domain) or \`client_jwks_uri\`. The log names the issuer or the URL.
Keys are read when a call needs them, at most once a minute for each place while all is well ([how keys are fetched](workload-identity.md#how-keys-are-fetched)).

${tableOf(new KeyMetrics().metrics)}

### Server

${tableOf(stateMetrics(NO_SERVER, ''))}

### Traces

${tableOf(new TraceMetrics().metrics)}

### Process and Node.js

The metrics of [prom-client](https://github.com/siimon/prom-client): \`process_cpu_seconds_total\`,
\`process_resident_memory_bytes\`, \`process_open_fds\`, \`process_start_time_seconds\`, \`nodejs_eventloop_lag_*_seconds\`,
\`nodejs_gc_duration_seconds\`, \`nodejs_heap_*_bytes\` and others.

## Dashboard

Import \`deploy/grafana/qscope.json\` into Grafana. Choose the data source and the instances at the top. The rows, from the top:

- **Overview**: health, load, failures and latency.
- **Calls**: methods, statuses, and reasons of refusals. A rise of \`OAUTH_INVALID_CLIENT\` means that someone guesses, or that a secret was
  rotated but not everywhere. \`LIMIT_EXCEEDED\` means that a limit was reached.
- **Database**: batches grow with the load, which keeps look-ups cheap. If waits grow but the database's own time does not, the process is
  busy. If both grow, the database is.
- **Maintenance**: the purge backlog and its age, and the age of signing keys.
- **Trust**: how the keys of trusted issuers and clients are read. Attempts that fail, or an age beyond a minute or two, are the beginning of an
  outage: beyond five minutes assertions are refused.
- **Process**: an event loop that uses nearly a full core cannot take more load. Add workers or instances.

A test parses every query of dashboard and alerts with Prometheus' own grammar, and compares names, labels and values with the metrics of a server
after real calls.

## Alerts

Add \`deploy/prometheus/alerts.yaml\` to Prometheus' \`rule_files\`, and adapt its thresholds to your load.

| alert | severity | after | what to do |
|---|---|---|---|
${alerts.join('\n')}

## Traces

To turn traces on, set \`QSCOPE_OTLP_ENDPOINT\` to the base URL of a collector that accepts OTLP as protobuf over HTTP. QScope appends
\`/v1/traces\`. If it is unset, nothing is traced and OpenTelemetry's SDK is not loaded. \`OTEL_EXPORTER_OTLP_ENDPOINT\` alone has no effect.

\`\`\`sh
QSCOPE_OTLP_ENDPOINT=http://127.0.0.1:4318 QSCOPE_TRACE_RATIO=0.05 npm start
\`\`\`

| setting | value |
|---|---|
| traced calls | those whose \`traceparent\` says so ([W3C Trace Context](https://www.w3.org/TR/trace-context/)); of the others, the share \`QSCOPE_TRACE_RATIO\` (default: all) |
| service name | \`qscope\`, or \`OTEL_SERVICE_NAME\` |
| resource attributes | \`OTEL_RESOURCE_ATTRIBUTES\` |
| headers, such as credentials of the collector | \`OTEL_EXPORTER_OTLP_HEADERS\` |
| certificates | \`OTEL_EXPORTER_OTLP_CERTIFICATE\`, \`OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE\`, \`OTEL_EXPORTER_OTLP_CLIENT_KEY\` |
| compression | \`OTEL_EXPORTER_OTLP_COMPRESSION=gzip\` |

A call is a span of the kind server with the name of its method (\`qscope.v1.TokenService/MintToken\`). It is a child of the caller's span. Its
attributes are \`rpc.system.name\`, \`rpc.method\`, \`rpc.response.status_code\`, \`qscope.ray_id\` and, for a refused call, \`qscope.reason\`
([errors](errors.md)). As OpenTelemetry's conventions say, only failures of the server count as errors (\`INTERNAL\`, \`UNAVAILABLE\`,
\`UNIMPLEMENTED\`, \`DEADLINE_EXCEEDED\`). Answers have no trace headers, since Trace Context defines none; use \`x-ray-id\`.

Database work has spans of the kind client:

| span | work |
|---|---|
| \`read batch <look-up>\` | batched look-ups, with \`db.operation.batch.size\`, and \`qscope.waited_ms\` until they were sent |
| \`append batch\` | mints and exchanges that share a commit, with the same attributes |
| \`transaction\` | a transaction that decides a race, including retries |

A batch serves many calls. Its span is a child of the first sampled call and is linked with the others in both directions, so you can find it from each
trace.

Spans have names, numbers and statuses, but no messages, statements or secrets. A \`tracestate\` that looks like a secret of QScope is dropped.

Calls never wait for the collector. Up to 4,096 spans are queued and sent every second; further ones are dropped. \`qscope_trace_spans_total\`
counts exported, failed and dropped spans. The log says once that exports fail, and once that they work again. At shutdown the remaining spans are sent, for two
seconds at most.
`
}

function tableOf(metrics: readonly Metric[]): string {
  const rows = metrics.map(({ definition: { name, type, labels, help } }) => {
    const labelNames = labels.length === 0 ? '–' : labels.map((label) => `\`${label}\``).join(', ')
    return `| \`${name}\` | ${type} | ${labelNames} | ${help} |`
  })
  return ['| metric | type | labels | meaning |', '|---|---|---|---|', ...rows].join('\n')
}
