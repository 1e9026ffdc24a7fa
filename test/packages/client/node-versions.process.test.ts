import { execFile, execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type InstalledClient, installClient } from '../../setup/installed-client.ts'
import { JWT } from '../../setup/jwt.ts'
import { missing } from '../../setup/requirement.ts'
import { givenServer } from './given.ts'

const ROOT = join(import.meta.dirname, '..', '..', '..')
const AUDIENCE = 'https://warehouse.internal'
const OLDEST = 20
const run = promisify(execFile)
const server = givenServer()

/** Each installed major version, including that of the npm package. */
function installedNodes(): ReadonlyMap<number, string> {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const found = [process.execPath, ...folders.map((folder) => join(folder, 'node'))].flatMap((path) => {
    try {
      return [[Number(execFileSync(path, ['-p', 'process.versions.node.split(".")[0]'])), path] as const]
    } catch {
      return []
    }
  })
  return new Map(found.filter(([major]) => major >= OLDEST).reverse())
}

const nodes = installedNodes()
if (!nodes.has(OLDEST)) missing('node20', 'the client package on Node 20', 'there is no node 20 on the path')

let installed: InstalledClient
beforeAll(() => {
  installed = installClient()
})
afterAll(() => installed.remove())

describe('the client package', () => {
  it('declares that it runs on Node 20 and newer', () => {
    const { engines } = JSON.parse(readFileSync(join(ROOT, 'packages', 'client', 'package.json'), 'utf8'))
    expect(engines).toEqual({ node: `>=${OLDEST}` })
  })

  it.each([...nodes])(
    'mints tokens, verifies them online and offline, and refuses invalid ones on Node %i',
    async (_major, node) => {
      const client = await server().registerClient({ audiences: [AUDIENCE], scopes: ['orders.read'], config: JWT })
      const program = join(installed.folder, 'program.mjs')
      writeFileSync(program, PROGRAM)
      const { clientId, clientSecret } = client
      const told = await run(node, [program, server().address, clientId, clientSecret, server().issuer, AUDIENCE])
      expect(JSON.parse(told.stdout)).toEqual({
        connect: 'function',
        scopes: ['orders.read'],
        online: clientId,
        offline: clientId,
        forged: null,
        refused: 'OAUTH_INVALID_SCOPE',
      })
    },
  )
})

const PROGRAM = `
import { clientCredentials, grpcKeySet, offlineVerifier, onlineVerifier } from '@qscope/client'
import { connectChannel } from '@qscope/client/connect'
import { TokenService } from '@qscope/client/gen/qscope/v1/token_service_pb'
import { grpcJsChannel } from '@qscope/client/grpc-js'
import { credentials } from '@grpc/grpc-js'

const [address, clientId, clientSecret, issuer, audience] = process.argv.slice(2)
const channel = grpcJsChannel(address, { credentials: credentials.createInsecure() })
const client = { clientId, clientSecret }
const source = clientCredentials(channel, { client, audiences: [audience] })
const { value, scopes } = await source.token()
const online = onlineVerifier(channel, { caller: client, audience })
const offline = offlineVerifier({ keys: grpcKeySet(channel), issuer, audience })
const presented = { value, certificate: null }
const forged = { value: value.slice(0, -8) + 'AAAAAAAA', certificate: null }
const proof = { clientId, method: { case: 'clientSecret', value: clientSecret } }
const refused = await channel.unary(TokenService.method.mintToken, { client: proof, scopes: ['x'] }).catch((error) => error.reason)
console.log(JSON.stringify({
  connect: typeof connectChannel,
  scopes,
  online: (await online.verify(presented)).clientId,
  offline: (await offline.verify(presented)).clientId,
  forged: await offline.verify(forged),
  refused,
}))
channel.close()
`
