import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { suiteFolder } from '../setup/certificates.ts'
import { grantsOn, isSpan } from '../setup/grants.ts'
import { trustedIssuers } from '../setup/trusted-issuers.ts'
import { type ExpectedRefusal, REFUSALS } from './refusals.ts'
import { BUILD_MS } from './toolchain.ts'
import { BILLING, ISSUER, startTourServer, type TourServer, WAREHOUSE } from './tour-server.ts'

/** The output of a step of a tour. */
type Told = Readonly<Record<string, unknown>>

/** A client in another language. */
export interface TourProgram {
  build(): Promise<unknown>
  /** Runs it with a file of settings; resolves to its standard output. */
  take(settings: string): Promise<string>
}

/**
 * Runs the tour of a client in another language with a real server, and
 * compares its output with the state of the server.
 */
export function describeTour(language: string, isPossible: boolean, program: TourProgram): void {
  describe.skipIf(!isPossible)(`a client in ${language}`, async () => {
    const folder = suiteFolder()
    const issuers = await trustedIssuers(folder)
    let running: TourServer | null = null
    const steps = new Map<string, Told>()

    beforeAll(async () => {
      await program.build()
      running = await startTourServer(folder, issuers)
      const lines = (await program.take(running.settingsFile)).trim().split('\n')
      for (const line of lines) {
        const told = JSON.parse(line)
        steps.set(told.step, told)
      }
    }, BUILD_MS)
    afterAll(() => running?.stop())

    const tour = () => {
      if (running === null) throw new Error('the server is not running')
      return running
    }
    const step = (name: string): Told => {
      const told = steps.get(name)
      if (told === undefined) throw new Error(`the tour has no step ${name}; it has ${[...steps.keys()].join(', ')}`)
      return told
    }
    const claimsOf = (told: Told) => grantsOn(tour().server).claimsOf(String(told['access_token']))
    const eventsOf = async (name: string) => {
      const events = await tour().server.auditEvents({ rayId: tour().rayPrefix + name })
      return events.map(({ eventType }) => eventType)
    }

    it('mints one token for concurrent callers', async () => {
      const told = step('reuse')
      expect(told).toMatchObject({ callers: 50, different_tokens: 1, token_type: 'Bearer' })
      expect(told['expires_in']).toSatisfy(isSpan(300))
      expect(told).toMatchObject({ scopes: ['orders.read'], audiences: [WAREHOUSE] })
      expect(await eventsOf('reuse')).toEqual(['token.issued'])
      expect((await claimsOf(told))?.tokenId).toBe(told['token_id'])
    })

    it.each([
      ['', 'renewal'],
      [', with the next token in the file of its platform', 'federated_renewal'],
    ])('mints again before its token expires%s', (_, renewal) => {
      const [first, second] = step(renewal)['token_ids'] as string[]
      expect(first).toMatch(/^[0-9a-f-]{36}$/)
      expect(second).toMatch(/^[0-9a-f-]{36}$/)
      expect(second).not.toBe(first)
    })

    it('reads the result of each request of a batch', async () => {
      const [first, refused, last] = step('batch_mint')['results'] as Told[]
      expect((await claimsOf(first ?? {}))?.scopes).toEqual(['orders.read'])
      expect((await claimsOf(last ?? {}))?.scopes).toEqual(['orders.write'])
      expect(refused).toMatchObject({
        status: 'INVALID_ARGUMENT',
        reason: 'OAUTH_INVALID_SCOPE',
        metadata: { oauth_error: 'invalid_scope', rejected_scopes: 'orders.burn' },
        remedy: 'correct_request',
      })
      expect(await eventsOf('batch_mint')).toEqual(['token.issued', 'token.issued'])
    })

    it('reads the claims of a token by verification and introspection', () => {
      const claims = {
        client_id: 'orders',
        subject: 'orders',
        subject_type: 'SUBJECT_TYPE_CLIENT',
        token_use: 'TOKEN_USE_ACCESS',
        scopes: ['orders.read'],
        audiences: [WAREHOUSE],
        issuer: ISSUER,
        actors: [],
      }
      expect(step('verify')).toMatchObject(claims)
      expect(step('introspect')).toMatchObject({ ...claims, active: true, token_id: step('verify')['token_id'] })
      expect(step('batch_introspect')['active']).toEqual([true, false, true])
    })

    it('authenticates by a certificate, and gets a token bound to it', () => {
      const bound = { client_id: 'courier', audiences: [WAREHOUSE], x5t_s256: tour().courierThumbprint }
      expect(step('certificate')).toMatchObject(bound)
    })

    it('redeems an authorization code once, and loses its tokens by reuse of the code', async () => {
      const told = step('code')
      expect(told).toMatchObject({ scopes: ['orders.read', 'orders.write'], audiences: [WAREHOUSE] })
      expect(told['refresh_token']).toMatch(/^qrt_/)
      expect(step('code_reused')).toMatchObject({ active: false })
      expect(await claimsOf(told)).toBeUndefined()
      expect(await eventsOf('code_reuse')).toContain('authorization_code.reused')
    })

    it('rotates refresh tokens, and gets the same answer to a repeated call', async () => {
      const [second, repeated, narrowed] = [step('refresh'), step('refresh_replay'), step('refresh_narrowed')]
      expect(second['access_token']).toMatch(/^qat_/)
      expect(second['refresh_token']).toMatch(/^qrt_/)
      expect(repeated['access_token']).toBe(second['access_token'])
      expect(repeated['refresh_token']).toBe(second['refresh_token'])
      expect(narrowed['scopes']).toEqual(['orders.read'])
      expect(narrowed['refresh_token']).not.toBe(second['refresh_token'])
    })

    it('loses its tokens when it uses a refresh token after its successor', async () => {
      expect(step('refresh_reused')).toMatchObject({ active: false })
      expect(await claimsOf(step('refresh_narrowed'))).toBeUndefined()
      expect(await eventsOf('refresh_reuse')).toContain('refresh_token.reused')
    })

    it('receives the decision of the user on a stream', async () => {
      const named = (...states: string[]) => states.map((state) => `DEVICE_AUTHORIZATION_STATE_${state}`)
      const watched = step('device_watch')
      expect(watched['states']).toEqual(named('PENDING', 'APPROVED'))
      expect(watched['user_code']).toMatch(/^[B-Z]{4}-[B-Z]{4}$/)
      expect(watched['refresh_token']).toMatch(/^qrt_/)
      expect((await claimsOf(watched))?.clientId).toBe('television')
      expect(step('device_denied')['states']).toEqual(named('PENDING', 'DENIED'))
    })

    it('polls for the decision, and receives the interval to wait', async () => {
      expect(step('device_pending')['retry_after']).toBe(5)
      expect(step('device_slow_down')['retry_after']).toBe(10)
      expect((await claimsOf(step('device_poll')))?.scopes).toEqual(['orders.read'])
    })

    it('exchanges a token of a user for one to call another service', async () => {
      const told = step('exchange')
      expect(told).toMatchObject({
        client_id: 'warehouse',
        subject_type: 'SUBJECT_TYPE_USER',
        scopes: ['orders.read'],
        audiences: [BILLING],
        actors: ['warehouse'],
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      })
      expect(await eventsOf('exchange')).toContain('token.exchanged')
    })

    it('exchanges an assertion of the platform for a token', async () => {
      const claims = await claimsOf(step('assertion'))
      expect(claims).toMatchObject({ clientId: 'orders', scopes: ['orders.read', 'orders.write'] })
    })

    it('verifies JWT access tokens offline, and refuses those for another audience or of another issuer', async () => {
      const told = step('offline')
      expect(told).toMatchObject({ issuer: ISSUER, subject: 'reports', client_id: 'reports', scope: 'orders.read' })
      expect(told['audiences']).toEqual([WAREHOUSE])
      expect((await claimsOf(told))?.tokenId).toBe(told['token_id'])
      expect(step('offline_refused')['refused']).toEqual(['tampered', 'foreign_issuer', 'foreign_audience'])
    })

    it('verifies the tokens of the common table with the expected results', () => {
      const expected = tour().verifierCases.map(({ name, expected }) => [name, expected])
      expect(expected.length).toBeGreaterThan(200)
      expect(step('verifier_cases')['verdicts']).toEqual(Object.fromEntries(expected))
    })

    it('revokes its own token, which is inactive from the next call on', () => {
      expect(step('revoke')).toMatchObject({ before: true, after: false })
    })

    it('reads registrations and lists tokens page by page, with a bearer token', async () => {
      const scopes = ['orders.read', 'orders.write']
      expect(step('get_client')).toMatchObject({ client_id: 'orders', type: 'CLIENT_TYPE_CONFIDENTIAL', scopes })
      const { token_ids: ids, pages } = step('list_tokens') as { token_ids: string[]; pages: number }
      const request = { clientId: 'orders', pageSize: 1_000 }
      const { server } = tour()
      const { tokens } = await server.call(TokenService.method.listTokens, request, { bearer: server.admin.token })
      const known = new Set(tokens.map(({ tokenId }) => tokenId))
      expect(new Set(ids).size).toBe(ids.length)
      expect(ids.filter((id) => !known.has(id))).toEqual([])
      expect(ids).toContain(step('reuse')['token_id'])
      expect(pages).toBeGreaterThanOrEqual(Math.ceil(ids.length / 2))
    })

    it('sends its ray id, and receives it in a header of the response', () => {
      expect(step('header')['x_ray_id']).toEqual([`${tour().rayPrefix}wrong_secret`])
    })

    it.each(Object.entries(REFUSALS))(
      'reads the details and the remedy of the refusal %s',
      (name, expected: ExpectedRefusal) => {
        const { metadata = {}, violations = [], ray = name, ...rest } = expected
        const told = step(name)
        expect(told).toMatchObject({ ...rest, violations, ray_id: `${tour().rayPrefix}${ray}` })
        expect(told['metadata']).toEqual(metadata)
      },
    )

    it.each([
      ['deadline', 'DEADLINE_EXCEEDED'],
      ['cancelled', 'CANCELLED'],
    ])('finds no reason in a status from the transport: %s', (name, status) => {
      expect(step(name)).toMatchObject({ status, reason: '', ray_id: '', remedy: 'find_out' })
    })

    it('retries a mint in its library when the answer was lost', () => {
      const [lost, second, ...more] = tour().proxy.passed(TokenService.method.mintToken)
      expect(lost?.previousAttempts).toBeUndefined()
      expect(second?.previousAttempts).toBe('1')
      expect(more).toEqual([])
      expect(step('mint_lost')['token_id']).toBe(second?.answer.token?.tokenId)
    })

    it('repeats a refresh itself when the answer was lost, and gets the lost answer', () => {
      const [lost, second, ...more] = tour().proxy.passed(TokenService.method.refreshToken)
      expect([lost?.previousAttempts, second?.previousAttempts]).toEqual([undefined, undefined])
      expect(more).toEqual([])
      const told = step('refresh_lost')
      expect(told['first']).toMatchObject({ status: 'UNAVAILABLE', reason: '', remedy: 'find_out' })
      expect(told['access_token']).toBe(lost?.answer.token?.accessToken)
      expect(told['refresh_token']).toBe(lost?.answer.token?.refreshToken)
    })
  })
}
