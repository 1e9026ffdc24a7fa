/**
 * Writes docs/errors.md, docs/configuration.md and docs/telemetry.md from the tables in the code, and
 * docs/reference from the contract: `npm run docs`. With `--check` it only compares, and fails when they differ.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Variable } from '../src/config/variable.ts'
import { CLIENT_VARIABLES, VARIABLES } from '../src/config/variables.ts'
import { ERROR_ADVICE } from '../src/errors/advice.ts'
import { type ErrorDetails, type ErrorRow, registry } from '../src/errors/registry.ts'
import { reasonOf } from '../src/rpc/rpc-status.ts'
import { contractFiles } from './contract.ts'
import { referencePages } from './rpc-reference.ts'
import { telemetryPage } from './telemetry-page.ts'

const docs = join(import.meta.dirname, '..', 'docs')
const check = process.argv.includes('--check')

const pages = new Map([
  ['errors.md', errorsPage()],
  ['configuration.md', configurationPage()],
  ...[...referencePages(contractFiles())].map(([name, text]) => [`reference/${name}`, text] as const),
  ['telemetry.md', telemetryPage()],
])
const stale: string[] = []
for (const [name, text] of pages) {
  const path = join(docs, name)
  if (!check) await writeFile(path, text)
  else if ((await readFile(path, 'utf8').catch(() => '')) !== text) stale.push(`docs/${name}`)
}
if (stale.length > 0) {
  console.error(`${stale.join(', ')} not in sync with the code; run npm run docs`)
  process.exit(1)
}

/** What is filled in from the details. */
function withoutBraces(sentence: string): string {
  return sentence.replace(/\{(\w+)\}/g, '_$1_')
}

/** The sentences that the caller gets instead where the server can tell more. */
function casesOf({ cases = {} }: ErrorRow<ErrorDetails>): readonly string[] {
  const sentences = Object.values(cases)
  return sentences.length === 0
    ? []
    : ['In some cases the message is more specific:', '', ...sentences.map((each) => `- ${withoutBraces(each)}`), '']
}

function errorsPage(): string {
  const codes = Object.keys(registry) as (keyof typeof registry)[]
  const sections = codes.map((code) => {
    const row: ErrorRow<ErrorDetails> = registry[code]
    const reason = reasonOf(code)
    const { when, details, advice } = ERROR_ADVICE[code]
    return [
      `## ${reason.toLowerCase().replaceAll('_', '-')}`,
      '',
      withoutBraces(row.description),
      '',
      ...casesOf(row),
      '| | |',
      '|---|---|',
      `| reason | \`${reason}\` |`,
      `| registry key | \`${code}\` |`,
      `| OAuth error | ${row.oauthError === null ? '–' : `\`${row.oauthError}\` (${row.rfc})`} |`,
      `| gRPC status | \`${row.status}\` |`,
      `| [over OAuth's forms](oauth-http.md#refusals) | ${row.http.status} \`${row.oauthError ?? row.http.error}\` |`,
      `| details | ${details} |`,
      `| may be sent again as it is | ${retry(code, row)} |`,
      '',
      `**When.** ${when}`,
      '',
      `**What to do.** ${advice}`,
    ].join('\n')
  })
  const rows = codes.map((code) => {
    const reason = reasonOf(code)
    const row: ErrorRow<ErrorDetails> = registry[code]
    return `| [\`${reason}\`](#${reason.toLowerCase().replaceAll('_', '-')}) | \`${row.status}\` | ${retry(code, row)} |`
  })
  return `# Errors

Generated from \`src/errors/registry.ts\` and \`src/errors/advice.ts\` by \`npm run docs\`.

Every refusal carries \`google.rpc.Status\` details: \`ErrorInfo\` (its \`reason\` as below, \`domain\` = \`qscope\`,
\`metadata.oauth_error\` where an RFC names the error), \`RequestInfo\` with the ray id, \`Help\`, and, for some
reasons, \`BadRequest\`, \`ResourceInfo\`, \`QuotaFailure\` or \`RetryInfo\`. In a program, decide by the reason, because texts may
change. Statuses of the transport itself (CANCELLED, DEADLINE_EXCEEDED, an oversized message, an unknown method) have no reason.

For introspection, an inactive token is not an error: the answer is OK with \`active\` = false (RFC 7662 §2.2). The
[cookbook](cookbook/README.md) shows refusals as grpcurl and \`buf curl\` print them; \`qscope decode-status\` reads the
\`grpc-status-details-bin\` of any client.

| reason | gRPC status | may be sent again |
|---|---|---|
${rows.join('\n')}

${sections.join('\n\n')}
`
}

function retry(code: keyof typeof registry, { retryable }: ErrorRow<ErrorDetails>): string {
  if (retryable) return 'yes, after RetryInfo'
  return ERROR_ADVICE[code].details.includes('RetryInfo') ? 'only with RetryInfo' : 'no'
}

function configurationPage(): string {
  const entries = Object.entries<Variable>({ ...VARIABLES, ...CLIENT_VARIABLES })
  const rows = entries.map(([name, { default: byDefault, unset, secret, shouldBe, example, does }]) => {
    const file = secret ? `, or \`${name}_FILE\`` : ''
    const value = example === null ? shouldBe : `${shouldBe}. Example: \`${example}\``
    return `| \`${name}\`${file} | ${does} | ${byDefault === null ? unset : `\`${byDefault}\``} | ${value} |`
  })
  return `# Configuration

Generated from \`src/config/variables.ts\` by \`npm run docs\`.

You configure QScope with environment variables. QScope reads them once, at the start, and reports all invalid ones together,
one per line. To keep a secret out of the environment, put it into a file and set the \`…_FILE\` variable to its path; a line end at the
end of the file is ignored.

\`qscope config\` prints the effective values with secrets masked. \`qscope config --help\` describes the variables.

| variable | what it does | default | value |
|---|---|---|---|
${rows.join('\n')}

The \`QSCOPE_DATABASE_…\` variables after the URL apply to database servers only, except \`QSCOPE_DATABASE_MAX_QUEUED_CALLS\` and
\`QSCOPE_DATABASE_HEALTH_INTERVAL\`, which apply to all databases ([databases](databases.md)). For traces see
[telemetry](telemetry.md).

## Write URLs exactly

Others compare URLs character by character (RFC 8414 §3.3), so QScope refuses a URL that could be written in two ways, and says how to
write it:

- no white space, no credentials, no fragment;
- scheme and host in lower case, without the default port;
- a percent sign only in front of two hexadecimal digits;
- a host that ends with a number is an IPv4 address in four decimal parts.

A slash at the end of a URL is kept. Only for origins it makes no difference.
`
}
