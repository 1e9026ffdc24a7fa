import type { Config } from '../config/config.ts'
import type { FirstAdmin } from './first-admin.ts'

export interface Welcome {
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
export function welcome({ address, httpAddress, config, admin, needsAdmin }: Welcome): string {
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

function adminLines(admin: FirstAdmin, endpoint: Endpoint): readonly string[] {
  const { address, tls } = endpoint
  const how = tls ? '-cacert ca.pem' : '-plaintext'
  const client = { clientId: admin.clientId, clientSecret: admin.clientSecret }
  const mint = { client }
  const verify = { client, token: 'TOKEN' }
  return [
    adminNotice(admin),
    'Mint a token:',
    ...callLines(endpoint, 'MintToken', mint),
    '',
    'Verify it, with its access_token in place of TOKEN:',
    ...callLines(endpoint, 'VerifyToken', verify),
    '',
    'grpcurl does the same:',
    `  grpcurl ${how} -d '${JSON.stringify(mint)}' ${address} qscope.v1.TokenService/MintToken`,
    `  grpcurl ${how} -d '${JSON.stringify(verify)}' ${address} qscope.v1.TokenService/VerifyToken`,
  ]
}

function callLines({ address, tls }: Endpoint, method: string, request: object): readonly string[] {
  const how = tls ? '--cacert ca.pem' : '--http2-prior-knowledge'
  return [
    `  npx buf curl --protocol grpc ${how} -d '${JSON.stringify(request)}' \\`,
    `    ${tls ? 'https' : 'http'}://${address}/qscope.v1.TokenService/${method}`,
  ]
}
