import { setTimeout as sleep } from 'node:timers/promises'
import { durationMs } from '@bufbuild/protobuf/wkt'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { Refused } from '../setup/client.ts'
import { type CalledServer, grantsOn, REDIRECT_URI, tokensOf } from '../setup/grants.ts'

const MINTERS = 8
const REFRESHERS = 8
const REVOKERS = 4
/** Longer than any outage, so that a lost response can be repeated. */
const REPLAY_WINDOW = { seconds: 60n }
const PATIENCE_MS = 60_000

/** The answered writes, and the refusals. */
export interface LoadRecord {
  /** Issued access tokens, by value, except revoked ones. */
  readonly active: ReadonlySet<string>
  /** Access tokens whose revocation was answered. */
  readonly revoked: ReadonlySet<string>
  /** The newest refresh token of each family. */
  readonly refreshTokens: readonly string[]
  readonly refusals: readonly Refusal[]
  /** The longest time without an answered call. */
  readonly longestSilenceMs: number
  readonly answers: number
}

export interface Refusal {
  readonly status: string
  readonly reason: string
  /** Whether it has a delay before a retry. */
  readonly hasRetryInfo: boolean
}

/** Clients that mint, refresh and revoke concurrently, each on one instance, and on another after a refusal. */
export async function startMixedLoad(servers: readonly [CalledServer, ...CalledServer[]]) {
  const [first] = servers
  const { client } = await first.registerClient({
    grantTypes: [GrantType.CLIENT_CREDENTIALS, GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN],
    redirectUris: [REDIRECT_URI],
    scopes: ['orders.read'],
    config: { refreshTokenReplayWindow: REPLAY_WINDOW },
  })
  const { signIn } = grantsOn(first)
  const families = await Promise.all(
    Array.from({ length: REFRESHERS }, () => signIn({ client, clientId: client.clientId, clientSecret: '' })),
  )
  const active = new Set<string>()
  const revoked = new Set<string>()
  const refusals: Refusal[] = []
  let answers = 0
  let lastAnswer = Date.now()
  let longestSilenceMs = 0
  let stopping = false
  let restMs = 0

  const answered = () => {
    answers += 1
    longestSilenceMs = Math.max(longestSilenceMs, Date.now() - lastAnswer)
    lastAnswer = Date.now()
  }
  /** Retries until it is answered, like a client with a retry policy; `null`: the load has ended. */
  async function insist<T>(turn: number, call: (server: CalledServer) => Promise<T>): Promise<T | null> {
    for (let at = turn; ; at += 1) {
      const server = servers[at % servers.length] ?? first
      try {
        const answer = await call(server)
        answered()
        return answer
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        const { retry } = error.details
        refusals.push({ status: error.status, reason: error.reason, hasRetryInfo: retry !== undefined })
        if (stopping || retry?.retryDelay === undefined) return null
        await sleep(Math.min(500, durationMs(retry.retryDelay)))
      }
    }
  }
  const sent = { deadlineMs: PATIENCE_MS }

  async function mint(turn: number): Promise<void> {
    while (!stopping) {
      const answer = await insist(turn, (server) => server.call(TokenService.method.mintToken, { client }, sent))
      if (answer !== null) active.add(tokensOf(answer.token).accessToken)
      if (restMs > 0) await sleep(restMs)
    }
  }
  const newest = families.map(({ refreshToken }) => refreshToken)
  async function refresh(turn: number): Promise<void> {
    while (!stopping) {
      const refreshToken = newest[turn] ?? ''
      const answer = await insist(turn, (server) =>
        server.call(TokenService.method.refreshToken, { client, refreshToken }, sent),
      )
      if (answer === null) continue
      const tokens = tokensOf(answer.token)
      newest[turn] = tokens.refreshToken
      active.add(tokens.accessToken)
      if (restMs > 0) await sleep(restMs)
    }
  }
  async function revoke(turn: number): Promise<void> {
    while (!stopping) {
      const [token] = active
      if (token === undefined) {
        await sleep(10)
        continue
      }
      // Removed before the call, since its state is unknown until the answer.
      active.delete(token)
      const answer = await insist(turn, (server) =>
        server.call(TokenService.method.revokeToken, { client, token }, sent),
      )
      if (answer !== null) revoked.add(token)
      await sleep(Math.max(5, restMs))
    }
  }

  const running = [
    ...Array.from({ length: MINTERS }, (_, turn) => mint(turn)),
    ...Array.from({ length: REFRESHERS }, (_, turn) => refresh(turn)),
    ...Array.from({ length: REVOKERS }, (_, turn) => revoke(turn)),
  ]
  return {
    client,
    answered: () => answers,
    /** Sets the pause of each client after an answer, which is 0 at first. */
    rest(ms: number): void {
      restMs = ms
    },
    async stop(): Promise<LoadRecord> {
      stopping = true
      await Promise.all(running)
      return { active, revoked, refreshTokens: newest, refusals, longestSilenceMs, answers }
    },
  }
}
