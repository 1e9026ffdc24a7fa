import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { benchDirectory } from '../directory.ts'
import type { Contestant } from '../run/contestant.ts'
import { OIDC_AUTHORIZATION } from './oidc-client.ts'
import { startPeer } from './peer-process.ts'
import type { Peers } from './yardsticks.ts'

export const OIDC_MEMORY_INTROSPECT = 'oidc-provider in memory: introspection'
export const OIDC_MEMORY_MINT = 'oidc-provider in memory: minting'
export const OIDC_SQLITE_MINT = 'oidc-provider on SQLite: minting'

const MINT_BODY = 'grant_type=client_credentials'
/** Fewer than its in-memory store holds. */
const INTROSPECTED = 200

/** Starts oidc-provider with its in-memory store and with a durable one. Throws `NotAvailable`. */
export async function startOidcProviders(root: string, inFlight: number): Promise<Peers> {
  const file = join(benchDirectory(root, 'oidc-provider'), 'oidc.db')
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true })
  const memory = await startPeer('oidc-server.ts')
  const sqlite = await startPeer('oidc-server.ts', [file])
  const job = (port: number, path: string, bodies: readonly string[], contains: string, durationMs: number) => ({
    protocol: 'http1' as const,
    port,
    path,
    authorization: OIDC_AUTHORIZATION,
    bodies,
    contains,
    connections: inFlight,
    inFlight,
    durationMs,
  })
  const minting = (name: string, { port, pid }: typeof memory): Contestant => ({
    name,
    tokensPerCall: 1,
    watched: { server: pid, database: null },
    job: async (durationMs) => job(port, '/token', [MINT_BODY], '"access_token"', durationMs),
  })
  const introspection: Contestant = {
    name: OIDC_MEMORY_INTROSPECT,
    tokensPerCall: 1,
    watched: { server: memory.pid, database: null },
    // Generated for each job, because mints evict older tokens from its store.
    job: async (durationMs) => {
      const tokens = await Promise.all(Array.from({ length: INTROSPECTED }, () => mintToken(memory.port)))
      const bodies = tokens.map((token) => `token=${token}`)
      return job(memory.port, '/token/introspection', bodies, '"active":true', durationMs)
    },
  }
  return {
    contestants: [introspection, minting(OIDC_MEMORY_MINT, memory), minting(OIDC_SQLITE_MINT, sqlite)],
    stop: async () => {
      await Promise.all([memory.stop(), sqlite.stop()])
    },
  }
}

async function mintToken(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/token`, {
    method: 'POST',
    headers: { authorization: OIDC_AUTHORIZATION, 'content-type': 'application/x-www-form-urlencoded' },
    body: MINT_BODY,
  })
  // RFC 6749 §5.1.
  const { access_token } = (await response.json()) as { readonly access_token: string }
  return access_token
}
