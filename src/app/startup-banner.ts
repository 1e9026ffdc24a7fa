import type { Config } from '../config/config.ts'
import type { FirstAdmin } from './first-admin.ts'

export interface StartupBanner {
  /** As bound. */
  readonly address: string
  /** As bound; `null`: there is no HTTP. */
  readonly httpAddress: string | null
  readonly config: Config
  /** Just made; its secret is shown here and never again. */
  readonly admin: FirstAdmin | null
  /** The database is new and has no admin client yet. */
  readonly needsAdmin: boolean
}

/** What a new server tells its operator on standard output, ready to be pasted. */
export function startupBanner({ address, httpAddress, config, admin, needsAdmin }: StartupBanner): string {
  const lines = [
    `QScope listens on ${address} (gRPC, ${config.tls === null ? 'plaintext' : 'TLS'}); issuer ${config.issuer}`,
  ]
  if (httpAddress !== null) {
    lines.push(`Connect, gRPC-Web and /.well-known at ${config.tls === null ? 'http' : 'https'}://${httpAddress}`)
  }
  if (needsAdmin) lines.push('', 'There is no client yet. Make the first one with: qscope client create --admin')
  if (admin !== null) lines.push('', ...adminLines(admin, { address, tls: config.tls !== null }))
  return `${lines.join('\n')}\n`
}

/** The secret by itself, for a start that failed after it was drawn. */
export function adminNotice({ clientId, clientSecret }: FirstAdmin): string {
  return `${[
    'The first admin client was made. Its secret is shown this once:',
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
  'Put the secret into a variable: it is pasted where nobody sees it, and kept out of the history of the shell.',
  '  read -rs ADMIN_SECRET',
]

function adminLines(admin: FirstAdmin, endpoint: Endpoint): readonly string[] {
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
