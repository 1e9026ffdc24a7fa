import { formatAddress } from '../config/address.ts'
import type { Config } from '../config/config.ts'
import { maskUrl } from '../config/database-url.ts'
import { socketName } from '../domain/unix-socket.ts'
import type { Log } from '../log/create-log.ts'
import { printableLines } from '../printable.ts'
import type { StartReport } from './cluster/lifecycle.ts'

type Admin = NonNullable<StartReport['admin']>

/** Tells the log and the operator that calls are answered. */
export function printStartupBanner(config: Config, log: Log, report: StartReport): void {
  const address = formatAddress(report.address)
  const httpAddress = report.httpAddress && formatAddress(report.httpAddress)
  const { tls, sockets, database, issuer, workers } = config
  const socket = sockets.grpc?.path
  const httpSocket = sockets.http?.path
  // What is undefined is left out.
  log.info(
    { address, httpAddress, socket, httpSocket, tls: tls !== null, database: maskUrl(database.url), issuer, workers },
    'listening',
  )
  process.stdout.write(printableLines(startupBanner(config, { ...report, address, httpAddress })))
}

/** The addresses as text. */
interface Banner extends Pick<StartReport, 'admin' | 'needsAdmin' | 'seeded'> {
  readonly address: string
  readonly httpAddress: string | null
}

/** The text for the operator of a new server on standard output, with commands to paste. */
function startupBanner(config: Config, { address, httpAddress, admin, needsAdmin, seeded = [] }: Banner): string {
  const lines = [
    `QScope listens on ${address} (gRPC, ${config.tls === null ? 'plaintext' : 'TLS'}); issuer ${config.issuer}`,
  ]
  if (httpAddress !== null) {
    const origin = `${config.tls === null ? 'http' : 'https'}://${httpAddress}`
    lines.push(`Connect, gRPC-Web and /.well-known at ${origin}`)
    if (config.http?.console === true) lines.push(`Console at ${origin}/console/`)
  }
  const { grpc, http } = config.sockets
  if (grpc !== null) lines.push(`gRPC in plaintext at ${socketName(grpc.path)}`)
  if (http !== null) lines.push(`HTTP in plaintext at ${socketName(http.path)}`)
  if (needsAdmin) lines.push('', 'There is no client yet. Create the first one with: qscope client create --admin')
  if (seeded.length > 0) lines.push('', 'Clients registered; their secrets are shown only once:')
  for (const { clientId, clientSecret } of seeded) lines.push(`  ${clientId}  ${clientSecret}`)
  if (admin !== null) lines.push('', ...adminLines(admin, { address, tls: config.tls !== null }))
  return `${lines.join('\n')}\n`
}

/** Shows only the secret, for a start that failed after the client was stored, so that the secret is not lost. */
export function printAdminSecret(admin: Admin | null): void {
  if (admin !== null) process.stdout.write(adminNotice(admin))
}

function adminNotice({ clientId, clientSecret }: Admin): string {
  return `${[
    'The first admin client was created. Its secret is shown only once:',
    `  client id      ${clientId}`,
    `  client secret  ${clientSecret}`,
  ].join('\n')}\n`
}

/** How the server is called. */
interface Endpoint {
  readonly address: string
  readonly tls: boolean
}

/** A secret in an argument would stand in the list of processes and in the shell's history. */
const FROM_A_VARIABLE = [
  'Read the secret into a variable. It is not shown, and does not enter the history of your shell.',
  '  read -rs ADMIN_SECRET',
]

function adminLines(admin: Admin, endpoint: Endpoint): readonly string[] {
  const client = { clientId: admin.clientId, clientSecret: '%s' }
  const mint = `printf '${JSON.stringify({ client })}' "$ADMIN_SECRET"`
  const verify = `printf '${JSON.stringify({ client, token: '%s' })}' "$ADMIN_SECRET" "$TOKEN"`
  const { address, tls } = endpoint
  const how = tls ? '-cacert ca.pem' : '-plaintext'
  return [
    adminNotice(admin),
    ...FROM_A_VARIABLE,
    '',
    'Mint a token:',
    ...callLines(endpoint, 'MintToken', mint),
    '',
    'Paste its accessToken, and verify it:',
    '  read -rs TOKEN',
    ...callLines(endpoint, 'VerifyToken', verify),
    '',
    'grpcurl does the same:',
    `  ${mint} |`,
    `    grpcurl ${how} -d @ ${address} qscope.v1.TokenService/MintToken`,
    `  ${verify} |`,
    `    grpcurl ${how} -d @ ${address} qscope.v1.TokenService/VerifyToken`,
  ]
}

function callLines({ address, tls }: Endpoint, method: string, request: string): readonly string[] {
  const how = tls ? '--cacert ca.pem' : '--http2-prior-knowledge'
  return [
    `  ${request} |`,
    `    npx buf curl --protocol grpc ${how} -d @- \\`,
    `    ${tls ? 'https' : 'http'}://${address}/qscope.v1.TokenService/${method}`,
  ]
}
