import { setTimeout as sleep } from 'node:timers/promises'
import { durationMs } from '@bufbuild/protobuf/wkt'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { Refused } from '../setup/client.ts'
import { type CalledServer, grantsOn, REDIRECT_URI, tokensOf } from '../setup/grants.ts'

const MINTERS = 8
const REFRESHERS = 8
const REVOKERS = 4
/** Longer than any outage: whoever lost a response gets the same successor. */
const REPLAY_WINDOW = { seconds: 60n }
const PATIENCE_MS = 60_000

/** What was answered, and what was not. */
export interface LoadRecord {
  /** Access tokens that were issued, by value; those that were revoked since are left out. */
  readonly active: ReadonlySet<string>
  /** Access tokens whose revocation was answered. */
  readonly revoked: ReadonlySet<string>
  /** The newest refresh token of each family. */
  readonly refreshTokens: readonly string[]
  readonly refusals: readonly Refusal[]
  /** The longest time in which no call was answered. */
  readonly longestSilenceMs: number
  readonly answers: number
}

export interface Refusal {
  readonly status: string
  readonly reason: string
  /** Whether it said when to come back. */
  readonly hasRetryInfo: boolean
}

/** Clients that mint, refresh and revoke at once, each on one of the instances and on another after a refusal. */
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
  /** Goes on until it is answered, as a client with a retry policy does; `null`: the load is over. */
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
      // Out of the set before the call: until it is answered, nobody knows.
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
    /** How long each client rests after an answer: not at all until this is called. */
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
