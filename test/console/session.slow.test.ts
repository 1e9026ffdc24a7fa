import { fromBinary } from '@bufbuild/protobuf'
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { MintTokenResponseSchema, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { axeFindings } from './axe.ts'
import { CHROMIUM, consoleOfSuite, holdAnswers, holdCalls, signIn, type Tab, TITLES, visit } from './console.ts'

/** What the first load may take over the network, in bytes. */
const FIRST_LOAD = 150 * 1_024

describe.skipIf(CHROMIUM === null)('a session of the console', () => {
  const suite = consoleOfSuite()
  beforeAll(async () => {
    await suite.server.registerClient({ clientId: 'orders', scopes: ['stock.read'] })
  })
  /** The methods of the requests that a page makes from now on, and that hold this secret. */
  const requestsWith = (page: Page, secret: string) => {
    const methods: string[] = []
    page.on('request', (request) => {
      const text = [request.url(), ...Object.values(request.headers()), request.postDataBuffer()].join(' ')
      if (text.includes(secret)) methods.push(request.url().replace(/^.*\//, ''))
    })
    return methods
  }
  /** Ends all sessions of the administrator: their calls are refused from then on. */
  const revokeSessions = async () => {
    const target = { case: 'clientId', value: 'admin' } as const
    await suite.server.call(TokenService.method.revokeTokens, { target }, suite.asAdmin)
    suite.server.admin.token = await suite.mint()
  }

  it('loads little, signs in, shows how the server is, and stores nothing in the browser', async () => {
    const tab = await suite.openTab()
    const { page } = tab
    const loaded = await page.evaluate<number>(
      'performance.getEntries().reduce((sum, entry) => sum + (entry.transferSize ?? 0), 0)',
    )
    expect(loaded).toBeGreaterThan(10_000)
    expect(loaded).toBeLessThan(FIRST_LOAD)
    const withSecret = requestsWith(page, suite.server.admin.clientSecret)
    await signIn(tab, suite.server)
    await page.getByText('serving', { exact: true }).waitFor()
    await page.getByRole('heading', { name: 'Findings' }).waitFor()
    for (const title of TITLES) await visit(tab, title)
    expect(await page.context().cookies()).toEqual([])
    expect(await page.evaluate('localStorage.length + sessionStorage.length')).toBe(0)
    expect(withSecret).toEqual(['MintToken'])
  })

  it('refuses a wrong secret with the reason of the server, by the Enter key, too', async () => {
    const { page } = await suite.openTab()
    await page.getByLabel('Client id').fill('admin')
    await page.getByLabel('Client secret').fill('wrong')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('OAUTH_INVALID_CLIENT').waitFor()
    await page.getByRole('button', { name: 'Sign in with a token instead' }).click()
    await page.getByLabel('Access token').fill(suite.server.unknownToken())
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('OAUTH_INVALID_TOKEN').waitFor()
  })

  it('revokes a token that is minted after the form was left, and does not sign in with it', async () => {
    const { page } = await suite.openTab()
    const { answered, release } = await holdAnswers(page, /MintToken$/)
    await page.getByLabel('Client id').fill('admin')
    await page.getByLabel('Client secret').fill(suite.server.admin.clientSecret)
    await page.keyboard.press('Enter')
    await answered
    await page.getByRole('button', { name: 'Sign in with a token instead' }).click()
    const [response] = await Promise.all([page.waitForResponse(/RevokeLeakedToken$/), release()])
    expect(response.status()).toBe(200)
    await page.getByLabel('Access token').waitFor()
    expect(await page.getByRole('button', { name: 'Sign out' }).count()).toBe(0)
  })

  it('lasts no longer than the tokens of its client, and says what its token does not permit, as that and not as an error', async () => {
    const { client } = await suite.server.registerClient({
      clientId: 'reader',
      scopes: ['qscope:clients.read'],
      config: { accessTokenTtl: { seconds: 300n } },
    })
    const tab = await suite.openTab()
    const { page } = tab
    const signInAs = async () => {
      await page.getByLabel('Client id').fill(client.clientId)
      await page.getByLabel('Client secret').fill(client.method.value)
      await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    }
    await signInAs()
    await page.getByText('Those that it lacks are no longer selected').waitFor()
    const withSecret = requestsWith(page, client.method.value)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByText('Your token does not permit this. You need qscope:server.read.').waitFor()
    await page.getByText(/\b(5:00|4:5\d) left/).waitFor()
    // The first asked for 15 minutes, and was refused.
    expect(withSecret).toEqual(['MintToken', 'MintToken'])
    await visit(tab, 'Clients')
    await page.getByRole('link', { name: 'orders', exact: true }).click()
    const change = page.getByRole('button', { name: /Change .*lacks qscope:clients\.write/ })
    expect(await change.getAttribute('aria-disabled')).toBe('true')
    await change.click({ force: true })
    expect(await page.getByLabel('Scopes').count()).toBe(0)
    expect(await page.getByRole('alert').count()).toBe(0)
  })

  it('ends with its time, with its token, and when it is left; then nothing of it is shown', async () => {
    const tab = await suite.openTab()
    const { page } = tab
    await page.clock.install()
    await signIn(tab, suite.server)
    await page.clock.fastForward('06:00')
    await page.mouse.move(100, 100)
    await page.clock.fastForward('08:30')
    await page.getByRole('button', { name: 'Let it end' }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.clock.fastForward('00:31')
    await page.getByText('Your session has expired.').waitFor()
    await signIn(tab, suite.server)
    await revokeSessions()
    // The overview asks by itself, and may have been told so already.
    await page.evaluate("location.hash = '#/clients'")
    await page.getByText('The server no longer accepts your token').waitFor()
    expect(await page.getByText('orders').count()).toBe(0)
    await signIn(tab, suite.server)
    const [request] = await Promise.all([
      page.waitForRequest(/RevokeLeakedToken$/),
      page.getByRole('button', { name: 'Sign out' }).click(),
    ])
    expect(request.method()).toBe('POST')
    await page.getByText('the audit log records the revocation with the reason “leaked”').waitFor()
    await signIn(tab, suite.server, ['tokens.revoke'])
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByText('You are signed out, and your token is revoked.').waitFor()
    const [last] = await suite.server.auditEvents({ eventTypes: ['token.revoked'] })
    expect([last?.actor, last?.metadata['reason']]).toEqual(['admin', 'signed out of the console'])
  })

  it('asks a minute before it ends, goes on with a new token where it was, and ends when nobody uses it', async () => {
    const tab = await suite.openTab()
    const { page } = tab
    await page.clock.install()
    await signIn(tab, suite.server, ['clients.write'])
    await visit(tab, 'Clients')
    await page.getByRole('link', { name: 'Register a client' }).click()
    await page.getByLabel('Client id').fill('half-written')
    const idle = page.getByRole('dialog', { name: 'Are you still there?' })
    const ending = page.getByRole('dialog', { name: 'Your session is about to end' })
    await page.clock.fastForward('04:00')
    await page.keyboard.press('Shift')
    await page.clock.fastForward('08:50')
    expect(await page.getByRole('dialog').count()).toBe(0)
    await page.clock.fastForward('00:11')
    await idle.getByText('The session ends in').waitFor()
    // Only the answer counts as a sign of life now.
    await page.mouse.move(100, 100)
    await page.clock.fastForward('00:02')
    expect(await axeFindings(page)).toEqual([])
    await idle.getByRole('button', { name: 'Stay signed in' }).click()
    await idle.waitFor({ state: 'detached' })

    await page.clock.fastForward('01:00')
    await ending.getByLabel('Client secret of admin').fill('wrong')
    await page.keyboard.press('Enter')
    await ending.getByText('OAUTH_INVALID_CLIENT').waitFor()
    expect(await axeFindings(page)).toEqual([])
    await ending.getByLabel('Client secret of admin').fill(suite.server.admin.clientSecret)
    const [minted] = await Promise.all([
      page.waitForResponse(/MintToken$/),
      ending.getByRole('button', { name: 'Stay signed in' }).click(),
    ])
    const { token } = fromBinary(MintTokenResponseSchema, await minted.body())
    await ending.waitFor({ state: 'detached' })
    expect(token?.scopes).toContain('qscope:clients.write')
    const lifetime = token?.expiresIn?.seconds ?? 0n
    expect(lifetime).toBeLessThanOrEqual(900n)
    expect(lifetime).toBeGreaterThanOrEqual(895n)
    await page.getByText(/\b1[45]:\d\d left/).waitFor()
    expect(await page.getByLabel('Client id').inputValue()).toBe('half-written')
    const [validation] = await Promise.all([
      page.waitForRequest(/RegisterClient$/),
      page.getByLabel('Client id').fill('whole'),
    ])
    expect(await validation.headerValue('authorization')).toBe(`Bearer ${token?.accessToken}`)

    await page.clock.fastForward('10:01')
    await page.getByText('You are signed out because nothing was done for 10 minutes.').waitFor()
    await expect
      .poll(() => suite.server.introspectAll(suite.server.admin.client, [token?.accessToken ?? '']))
      .toEqual([false])
  })

  describe('with a new secret', () => {
    const mintsWith = async (clientId: string, value: string) => {
      const client = { clientId, method: { case: 'clientSecret' as const, value } }
      const { token } = await suite.server.call(TokenService.method.mintToken, { client })
      return token !== undefined
    }
    const startRotation = async (tab: Tab, clientId: string) => {
      await signIn(tab, suite.server, ['clients.write'])
      await visit(tab, 'Clients')
      await tab.page.getByRole('link', { name: clientId, exact: true }).click()
      await tab.page.getByRole('button', { name: 'Rotate the secret' }).click()
      await tab.page.getByRole('button', { name: 'Create a new secret' }).click()
    }
    const dismiss = async ({ page }: Tab) => {
      await page.getByRole('button', { name: 'I have stored it' }).click()
      await page.getByRole('dialog').waitFor({ state: 'detached' })
      expect(await page.locator('.secret').count()).toBe(0)
      expect(await page.getByRole('button', { name: 'Sign in', exact: true }).isEnabled()).toBe(true)
    }

    it('keeps it when nobody uses the session, until it is dismissed', async () => {
      const { clientId } = await suite.server.registerClient({ clientId: 'rotated', scopes: ['a'] })
      const tab = await suite.openTab()
      const { page } = tab
      await page.clock.install()
      await startRotation(tab, clientId)
      const dialog = page.getByRole('dialog', { name: `The new secret of ${clientId}` })
      const value = await dialog.locator('.secret').innerText()
      await page.clock.fastForward('10:01')
      await dialog.getByText('nothing was done for 10 minutes').waitFor()
      expect(await page.getByRole('button', { name: 'Sign out' }).count()).toBe(0)
      for (let times = 0; times < 3; times++) await page.keyboard.press('Escape')
      expect(await dialog.locator('.secret').innerText()).toBe(value)
      expect(await axeFindings(page)).toEqual([])
      expect(await mintsWith(clientId, value)).toBe(true)
      await dismiss(tab)
      await page.getByText('nothing was done for 10 minutes').waitFor()
    })

    it('keeps it when the token is refused, until it is dismissed', async () => {
      const tab = await suite.openTab()
      const { page } = tab
      await signIn(tab, suite.server, ['clients.write'])
      await visit(tab, 'Clients')
      await page.getByRole('link', { name: 'Register a client' }).click()
      await page.getByLabel('Client id').fill('registered')
      await page.getByRole('button', { name: 'Register' }).click()
      const dialog = page.getByRole('dialog', { name: 'The new secret of registered' })
      const value = await dialog.locator('.secret').innerText()
      await revokeSessions()
      await page.evaluate("location.hash = '#/clients'")
      await dialog.getByText('The server no longer accepts your token').waitFor()
      expect(await dialog.locator('.secret').innerText()).toBe(value)
      expect(await mintsWith('registered', value)).toBe(true)
      await dismiss(tab)
    })

    it('shows it although its call is answered after the end', async () => {
      const { clientId } = await suite.server.registerClient({ clientId: 'late', scopes: ['a'] })
      const tab = await suite.openTab()
      const { page } = tab
      const { answered, release } = await holdAnswers(page, /RotateClientSecret$/)
      await startRotation(tab, clientId)
      await answered
      await revokeSessions()
      await page.evaluate("location.hash = '#/users'")
      await page.getByRole('heading', { name: 'QScope console' }).waitFor()
      release()
      const value = await page.getByRole('dialog').locator('.secret').innerText()
      expect(await mintsWith(clientId, value)).toBe(true)
      await dismiss(tab)
    })
  })

  it('signs out at once, however slow the server is, and late answers leave the next session alone', async () => {
    const tab = await suite.openTab()
    const { page } = tab
    await signIn(tab, suite.server, ['users.write'])
    await visit(tab, 'Users')
    await page.getByRole('link', { name: 'Register a user', exact: true }).click()
    const releaseChange = await holdCalls(page, /RegisterUser$/)
    await page.getByLabel('External id').fill('late')
    await page.getByRole('button', { name: 'Register' }).click()
    const releaseRevocation = await holdCalls(page, /RevokeLeakedToken$/)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByText('The server is being asked to revoke your token.').waitFor()
    const revoked = page.waitForResponse(/RevokeLeakedToken$/)
    releaseRevocation()
    await revoked
    await signIn(tab, suite.server)
    const rejected = page.waitForResponse(/RegisterUser$/)
    releaseChange()
    expect((await rejected).status()).toBe(401)
    await visit(tab, 'Clients')
    await page.getByRole('link', { name: 'admin', exact: true }).waitFor()
  })

  it('ends with its token while the log is followed', async () => {
    const { clientId, client } = await suite.server.registerClient({ scopes: ['qscope:audit.read'] })
    const tab = await suite.openTab()
    const { page } = tab
    await page.getByRole('button', { name: 'Sign in with a token instead' }).click()
    await page.getByLabel('Access token').fill(await suite.mint(client))
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await visit(tab, 'Audit log')
    await page.getByRole('button', { name: 'Follow' }).click()
    await page.getByText('Following: events appear').waitFor()
    await suite.server.call(
      TokenService.method.revokeTokens,
      { target: { case: 'clientId', value: clientId } },
      suite.asAdmin,
    )
    await page.getByText('The server no longer accepts your token').waitFor()
  })

  it('goes on following the log with its new token', async () => {
    const tab = await suite.openTab()
    const { page } = tab
    await page.clock.install()
    await signIn(tab, suite.server)
    await visit(tab, 'Audit log')
    const [opened] = await Promise.all([
      page.waitForRequest(/WatchAuditEvents$/),
      page.getByRole('button', { name: 'Follow' }).click(),
    ])
    const token = await opened.headerValue('authorization')
    await page.clock.fastForward('07:00')
    await page.keyboard.press('Shift')
    await page.clock.fastForward('07:10')
    const ending = page.getByRole('dialog', { name: 'Your session is about to end' })
    await ending.getByLabel('Client secret of admin').fill(suite.server.admin.clientSecret)
    await Promise.all([
      page.waitForRequest(
        async (request) =>
          request.url().endsWith('WatchAuditEvents') && (await request.headerValue('authorization')) !== token,
        { timeout: 10_000 },
      ),
      ending.getByRole('button', { name: 'Stay signed in' }).click(),
    ])
    await page.getByText('Following: events appear').waitFor()
  })

  it('stays of use while the server is slow or away, and goes on when it is back', async () => {
    const tab = await suite.openTab()
    const { page } = tab
    await signIn(tab, suite.server)
    const release = await holdCalls(page, /ListClients$/)
    await visit(tab, 'Clients')
    await page.getByText('Loading…').waitFor()
    await visit(tab, 'Token inspector')
    release()
    await page.unroute(/ListClients$/)
    await page.context().setOffline(true)
    await page.getByRole('link', { name: 'Clients' }).click()
    await page.getByText('The server did not answer.').waitFor()
    await page.context().setOffline(false)
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByRole('link', { name: 'orders', exact: true }).waitFor()
  })
})
