/** Verifies tokens with the caching verifier of `@qscope/client` until its standard input ends. */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { credentials } from '@grpc/grpc-js'
import { grpcJsChannel } from '../../packages/client/src/grpc-js/channel.ts'
import { QScopeError } from '../../packages/client/src/qscope-error.ts'
import { cachingVerifier } from '../../packages/client/src/verification/caching/caching-verifier.ts'

const PATIENCE_MS = 60_000
const PAUSE_MS = 10

interface Settings {
  readonly address: string
  readonly issuer: string
  readonly audience: string
  readonly client_id: string
  readonly client_secret: string
  readonly bound_ms: number
}

/** A line of standard input: a token, and the result to wait for, if any. */
interface Asked {
  readonly token: string
  readonly until?: string
}

const settings = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Settings
const channel = grpcJsChannel(settings.address, { credentials: credentials.createInsecure() })
const verifier = cachingVerifier(channel, {
  caller: { clientId: settings.client_id, clientSecret: settings.client_secret },
  audience: settings.audience,
  issuer: settings.issuer,
  boundMs: settings.bound_ms,
})
const began = performance.now()
while (!verifier.state.isCurrent && performance.now() - began < PATIENCE_MS) await pause(PAUSE_MS)
tell({ current: verifier.state.isCurrent })
for await (const line of createInterface({ input: process.stdin })) tell(await comeTo(JSON.parse(line) as Asked))
verifier.close()
channel.close()

/** Verifies a token once, or repeatedly until the expected result. */
async function comeTo({ token, until }: Asked) {
  for (const started = performance.now(); ; await pause(PAUSE_MS)) {
    const result = await resultOf(token)
    const afterMs = Math.round(performance.now() - started)
    if (result === (until ?? result) || afterMs > PATIENCE_MS) {
      return { result, current: verifier.state.isCurrent, after_ms: afterMs }
    }
  }
}

async function resultOf(value: string): Promise<string> {
  try {
    return (await verifier.verify({ value, certificate: null })) === null ? 'invalid_token' : 'accepted'
  } catch (error) {
    if (error instanceof QScopeError && error.isTemporary) return 'unavailable'
    throw error
  }
}

function tell(told: object): void {
  process.stdout.write(`${JSON.stringify(told)}\n`)
}
