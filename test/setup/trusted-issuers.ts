import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { jwksOf, type SigningPair, signingPair } from './assertions.ts'

/** A cluster whose service account tokens authenticate clients, in the form of Kubernetes' projected tokens. */
export const CLUSTER = 'https://kubernetes.default.svc.cluster.local'
/** An issuer of single-use assertions, whose keys are fetched. */
export const CI = 'https://ci.example'
/** An issuer whose keys cannot be fetched. */
export const SILENT = 'https://silent.example'

export const AUDIENCE = 'qscope'

/** The answer of a key server, and the number of requests. */
export interface KeyServer {
  readonly url: string
  /** The `content`, or a status. */
  answer: string | number
  asked: number
  /** Headers of the answer. */
  headers: Record<string, string>
  /** Answers are drawn up at once, and sent when this is settled. */
  held: Promise<void>
}

export async function keyServer(content: string): Promise<KeyServer> {
  const server = createServer(async (_request, response) => {
    state.asked += 1
    const { answer, headers } = state
    await state.held
    if (typeof answer === 'number') response.writeHead(answer, headers).end()
    else response.writeHead(200, headers).end(answer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => server.close())
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}/jwks`
  const state: KeyServer = { url, answer: content, asked: 0, headers: {}, held: Promise.resolve() }
  return state
}

/** Writes a file with the three issuers above, and with `more`, which use the keys of the first. Returns the keys of the first two. */
export async function trustedIssuers(folder: string, ...more: readonly string[]) {
  const cluster: SigningPair = signingPair('RS256')
  const ci: SigningPair = signingPair('ES256')
  const keys = await keyServer(jwksOf(ci))
  const silent = await keyServer('')
  silent.answer = 503
  writeFileSync(join(folder, 'cluster.jwks.json'), jwksOf(cluster))
  const rule = (claims: Record<string, string>, clientId: string, ...scopes: string[]) => ({
    claims,
    client_id: clientId,
    scopes,
  })
  const issuers = [
    {
      issuer: CLUSTER,
      jwks_file: 'cluster.jwks.json',
      audience: AUDIENCE,
      max_lifetime: '2h',
      rules: [
        rule({ sub: 'system:serviceaccount:shop:orders' }, 'orders', 'orders.read', 'orders.write'),
        rule({ sub: 'system:serviceaccount:batch:*' }, 'batch', 'orders.read'),
        rule({ '/kubernetes.io/namespace': 'tools', sub: 'system:*' }, 'tools', 'tools.run'),
        rule({ sub: 'system:serviceaccount:shop:gone' }, 'nobody', 'orders.read'),
      ],
    },
    {
      issuer: CI,
      jwks_url: keys.url,
      single_use: true,
      max_lifetime: '10m',
      rules: [rule({ sub: 'job' }, 'ci-runner', 'deploy')],
    },
    { issuer: SILENT, jwks_url: silent.url, rules: [rule({ sub: 'job' }, 'ci-runner', 'deploy')] },
    ...more.map((issuer) => ({
      issuer,
      jwks_file: 'cluster.jwks.json',
      audience: AUDIENCE,
      rules: [rule({ sub: 'system:*' }, 'orders', 'orders.read')],
    })),
  ]
  const file = join(folder, 'issuers.json')
  writeFileSync(file, JSON.stringify({ issuers }))
  return { file, cluster, ci, keys, silent }
}
