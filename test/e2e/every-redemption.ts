import { setTimeout as sleep } from 'node:timers/promises'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { Refused } from '../setup/client.ts'
import { type CalledServer, type Code, grantsOn, REDIRECT_URI, type Tokens } from '../setup/grants.ts'

/** The number of loops of each kind of call. */
const LOOPS = 2
/** Long enough to repeat a lost answer after the restart. */
const REPLAY_WINDOW = { seconds: 60n }

/** A code that can be redeemed once; `null` if there was no answer. */
export interface Spent<T> {
  readonly what: T
  readonly tokens: Tokens | null
}

/** A refresh token and its predecessors, oldest first. */
interface Family {
  readonly refreshTokens: string[]
}

export type RedemptionLoad = Awaited<ReturnType<typeof redemptionLoad>>

/**
 * Mints, refreshes, revokes, exchanges codes and redeems device codes, in rounds
 * that end when the server does, and records the answers.
 */
export async function redemptionLoad(server: CalledServer) {
  const grants = grantsOn(server)
  const client = await server.registerClient({
    grantTypes: [
      GrantType.CLIENT_CREDENTIALS,
      GrantType.AUTHORIZATION_CODE,
      GrantType.REFRESH_TOKEN,
      GrantType.DEVICE_CODE,
    ],
    redirectUris: [REDIRECT_URI],
    scopes: ['orders.read'],
    config: { refreshTokenReplayWindow: REPLAY_WINDOW },
  })
  const active = new Set<string>()
  const revoked = new Set<string>()
  /** Tokens to revoke, whether or not the revocation was answered. */
  const toRevoke = new Set<string>()
  const families: Family[] = []
  for (let n = 0; n < LOOPS; n += 1) {
    const { accessToken, refreshToken } = await grants.signIn(client)
    active.add(accessToken)
    families.push({ refreshTokens: [refreshToken] })
  }
  let codes: Spent<Code>[] = []
  let devices: Spent<{ readonly deviceCode: string }>[] = []
  /** Unexpected refusals by the server. */
  const undeserved: string[] = []
  /** The number of refusals that can be retried. */
  let told = 0
  /** The number of calls that failed in the transport. */
  let lost = 0
  let answered = 0

  /** `null`: the server has stopped, or is stopping. */
  async function answerOf<T>(call: Promise<T>): Promise<T | null> {
    try {
      const answer = await call
      answered += 1
      return answer
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      if (error.reason === '') lost += 1
      else if (error.reason === 'OAUTH_TEMPORARILY_UNAVAILABLE') told += 1
      else undeserved.push(error.message)
      return null
    }
  }
  async function mint(): Promise<boolean> {
    const minted = await answerOf(grants.mint(client))
    if (minted !== null) active.add(minted.accessToken)
    return minted !== null
  }
  const refreshIn = (family: Family) => async () => {
    const refreshed = await answerOf(grants.refresh(client, family.refreshTokens.at(-1) ?? ''))
    if (refreshed === null) return false
    family.refreshTokens.push(refreshed.refreshToken)
    active.add(refreshed.accessToken)
    return true
  }
  async function revoke(): Promise<boolean> {
    const minted = await answerOf(grants.mint(client))
    if (minted === null) return false
    const token = minted.accessToken
    toRevoke.add(token)
    const answer = await answerOf(server.call(TokenService.method.revokeToken, { client: client.client, token }))
    if (answer !== null) revoked.add(token)
    return answer !== null
  }
  async function exchange(): Promise<boolean> {
    const code = await answerOf(grants.createCode(client))
    if (code === null) return false
    const tokens = await answerOf(grants.exchangeCode(client, code))
    codes.push({ what: code, tokens })
    return tokens !== null
  }
  async function redeem(): Promise<boolean> {
    const device = await answerOf(grants.startDevice(client))
    if (device === null) return false
    const approved = await answerOf(grants.approveDevice(device).then(() => true))
    if (approved === null) return false
    const tokens = await answerOf(grants.redeemDevice(client, device))
    devices.push({ what: device, tokens })
    return tokens !== null
  }

  return {
    client,
    grants,
    active,
    revoked,
    toRevoke,
    families,
    undeserved,
    counts: () => ({ answered, told, lost }),
    /** Continues until the server has stopped; returns the codes that were redeemed. */
    async untilItEnds() {
      codes = []
      devices = []
      const again = async (work: () => Promise<boolean>) => {
        while (await work()) await sleep(0)
      }
      const works = [...Array.from({ length: LOOPS }, () => [mint, revoke, exchange, redeem]).flat()]
      await Promise.all([...works, ...families.map(refreshIn)].map(again))
      return { codes, devices }
    },
  }
}
