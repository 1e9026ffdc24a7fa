import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import type { TestServer } from '../setup/server.ts'
import { axeFindings } from './axe.ts'
import { CHROMIUM, openBrowser, openTab, signIn, startWithConsole, visit } from './console.ts'

const MARKUP = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
/** What the first load may take over the network, in bytes. */
const FIRST_LOAD = 150 * 1_024

describe.skipIf(CHROMIUM === null)('the console in a browser', () => {
  let server: Awaited<ReturnType<typeof startWithConsole>>
  let browser: Browser

  beforeAll(async () => {
    server = await startWithConsole()
    browser = await openBrowser()
    await server.registerClient({ clientId: 'orders', displayName: MARKUP, scopes: ['stock.read'] })
  })
  afterAll(async () => {
    await browser?.close()
    await server?.close()
  })
  const tabOf = (options = {}) => openTab(browser, server, options)
  const asAdmin = {
    get bearer() {
      return server.admin.token
    },
  }

  it('loads little, signs in, and shows how the server is; only calls of the contract go over the network', async () => {
    const tab = await tabOf()
    const { page, requests, complaints } = tab
    const loaded = await page.evaluate<number>(
      'performance.getEntries().reduce((sum, entry) => sum + (entry.transferSize ?? 0), 0)',
    )
    expect(loaded).toBeGreaterThan(10_000)
    expect(loaded).toBeLessThan(FIRST_LOAD)
    await signIn(tab, server)
    await page.getByText('serving', { exact: true }).waitFor()
    await page.getByRole('heading', { name: 'Findings' }).waitFor()
    for (const title of ['Clients', 'Token inspector', 'Audit log', 'Signing keys']) await visit(tab, title)
    expect(requests.filter((each) => !/^\/(console\/|qscope\.v1\.[A-Z]\w+Service\/[A-Z]\w+$)/.test(each))).toEqual([])
    expect(await page.context().cookies()).toEqual([])
    expect(await page.evaluate('localStorage.length + sessionStorage.length')).toBe(0)
    expect(complaints).toEqual([])
  })

  it('refuses a wrong secret with the reason of the server, by the Enter key, too', async () => {
    const { page } = await tabOf()
    await page.getByLabel('Client id').fill('admin')
    await page.getByLabel('Client secret').fill('wrong')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('OAUTH_INVALID_CLIENT').waitFor()
    await page.getByRole('button', { name: 'Sign in with a token instead' }).click()
    await page.getByLabel('Access token').fill(server.unknownToken())
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('OAUTH_INVALID_TOKEN').waitFor()
  })

  it('registers a client that the server has judged while it was written, and shows its secret', async () => {
    const tab = await tabOf()
    const { page } = tab
    await signIn(tab, server, ['clients.write'])
    await visit(tab, 'Clients')
    await page.getByRole('link', { name: 'Register a client' }).click()
    await page.getByLabel('Client id').fill('orders')
    await page.getByText('REGISTRATION_CLIENT_IDENTIFIER_CONFLICT').or(page.locator('.problem')).first().waitFor()
    await page.getByLabel('Client id').fill('a b')
    await page.locator('.field .problem').waitFor()
    await page.getByLabel('Client id').fill('invoices')
    await page.getByLabel('Scopes').fill('stock.read\nstock.write')
    await page.getByText('The server would register this.').waitFor()
    await page.getByRole('button', { name: 'Register' }).click()
    const secret = await page.locator('.secret').innerText()
    const client = { clientId: 'invoices', method: { case: 'clientSecret' as const, value: secret } }
    const { token } = await server.call(TokenService.method.mintToken, { client })
    expect(token?.scopes).toEqual(['stock.read', 'stock.write'])
  })

  it('changes a client by a difference, and shows what somebody else changed meanwhile', async () => {
    const { clientId } = await server.registerClient({ clientId: 'edited', scopes: ['a'], audiences: ['x'] })
    const tab = await tabOf()
    const { page } = tab
    await signIn(tab, server, ['clients.write'])
    await visit(tab, 'Clients')
    await page.getByRole('link', { name: clientId, exact: true }).click()
    await page.getByRole('button', { name: 'Change', exact: true }).click()
    await page.getByLabel('Scopes').fill('b')
    await page.locator('del', { hasText: 'a' }).waitFor()
    await page.locator('ins', { hasText: 'b' }).waitFor()
    const other = { client: { clientId, displayName: 'Renamed' }, updateMask: { paths: ['display_name'] } }
    await server.call(ClientService.method.updateClient, other, asAdmin)
    await page.getByRole('button', { name: 'Save these changes' }).click()
    const conflict = page.getByRole('alert')
    await conflict.getByText('Renamed').waitFor()
    await conflict.getByRole('button', { name: 'Go on from that version' }).click()
    await page.getByRole('button', { name: 'Save these changes' }).click()
    await page.getByRole('button', { name: 'Change', exact: true }).waitFor()
    const { client } = await server.call(ClientService.method.getClient, { clientId }, asAdmin)
    expect([client?.displayName, client?.scopes, client?.audiences]).toEqual(['Renamed', ['b'], ['x']])
  })

  it('rotates a secret with an overlap, and disables a client after saying what that ends', async () => {
    const { clientId, client } = await server.registerClient({ clientId: 'rotated', scopes: ['a'] })
    await server.call(TokenService.method.mintToken, { client })
    const tab = await tabOf()
    const { page } = tab
    await signIn(tab, server, ['clients.write'])
    await page.goto(`${server.httpUrl}/console/#/clients/${clientId}`)
    await page.getByRole('button', { name: 'Rotate the secret' }).click()
    await page.getByLabel('Older secrets work for another').selectOption('1 hour')
    await page.getByRole('button', { name: 'Draw a new secret' }).click()
    const value = await page.locator('.secret').innerText()
    await page.getByRole('button', { name: 'I have kept it' }).click()
    const rotated = { clientId, method: { case: 'clientSecret' as const, value } }
    await server.call(TokenService.method.mintToken, { client: rotated })
    const { token } = await server.call(TokenService.method.mintToken, { client })
    await page.getByRole('button', { name: 'Disable' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('3 tokens and 0 grants').waitFor()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Disable' }).click()
    await dialog.getByRole('button', { name: 'Disable' }).click()
    await page.getByText('disabled', { exact: true }).waitFor()
    expect(await server.introspectAll(server.admin.client, [token?.accessToken ?? ''])).toEqual([false])
  })

  it('explains a pasted token check by check, and how to mend what fails', async () => {
    const tab = await tabOf()
    const { page } = tab
    await signIn(tab, server)
    await visit(tab, 'Token inspector')
    const inspect = async (token: string, scopes: string) => {
      await page.getByLabel('Token', { exact: true }).fill(token)
      await page.getByLabel('Required scopes').fill(scopes)
      await page.getByRole('button', { name: 'Inspect' }).click()
    }
    await inspect(server.admin.token, '')
    await page.getByText('The token is accepted').waitFor()
    await inspect(server.admin.token, 'stock.read')
    await page.getByText('The token is refused').waitFor()
    const failed = page.locator('.checks li', { hasText: 'failed' })
    expect(await failed.count()).toBe(1)
    expect(await failed.innerText()).toContain('To mend it:')
    await inspect(server.unknownToken(), '')
    await page.getByText('The token is unknown').waitFor()
  })

  it('lists, follows and verifies the audit log', async () => {
    const tab = await tabOf()
    const { page } = tab
    await signIn(tab, server)
    await visit(tab, 'Audit log')
    await page.getByRole('button', { name: 'client.registered' }).first().click()
    await page.getByRole('dialog').getByText('Who', { exact: true }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Follow' }).click()
    await page.getByText('Following: events appear').waitFor()
    await server.registerClient({ clientId: 'followed', scopes: ['a'] })
    await page
      .getByRole('row', { name: /followed/ })
      .first()
      .waitFor()
    await page.getByRole('button', { name: 'Verify the whole log' }).click()
    await page.getByText('unbroken', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Stop following' }).click()
    await page.getByLabel('Client id').fill('followed')
    const download = page.waitForEvent('download')
    await page.getByText('1 in all').waitFor()
    await page.getByRole('button', { name: 'Export these events' }).click()
    expect((await download).suggestedFilename()).toBe('qscope-audit.jsonl')
  })

  it('shows signing keys by their life, and prepares one', async () => {
    const tab = await tabOf()
    const { page } = tab
    await signIn(tab, server, ['keys.write'])
    await visit(tab, 'Signing keys')
    await page.getByText('There is no key yet').waitFor()
    await page.getByRole('button', { name: 'Prepare a key' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Prepare a key' }).click()
    await page.getByText(/prepared from \d{4}-/).waitFor()
    await page.getByRole('button', { name: 'Let it sign' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Let it sign' }).click()
    await page.getByText(/signing from \d{4}-/).waitFor()
  })

  it('says what the token does not permit, as that and not as an error', async () => {
    const { client } = await server.registerClient({ clientId: 'reader', scopes: ['qscope:clients.read'] })
    const tab = await tabOf()
    const { page } = tab
    const signInAs = async () => {
      await page.getByLabel('Client id').fill(client.clientId)
      await page.getByLabel('Client secret').fill(client.method.value)
      await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    }
    await signInAs()
    await page.getByText('What it may not have is no longer chosen').waitFor()
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByText('Your token does not permit this. It takes qscope:server.read.').waitFor()
    await visit(tab, 'Clients')
    await page.getByRole('link', { name: 'orders', exact: true }).click()
    const change = page.getByRole('button', { name: /Change .*lacks qscope:clients\.write/ })
    expect(await change.getAttribute('aria-disabled')).toBe('true')
    await change.click({ force: true })
    expect(await page.getByLabel('Scopes').count()).toBe(0)
    expect(await page.getByRole('alert').count()).toBe(0)
  })

  it('ends with its time, with its token, and when it is left; then nothing of it is shown', async () => {
    const tab = await tabOf()
    const { page } = tab
    await page.clock.install()
    await signIn(tab, server)
    await page.clock.fastForward('15:01')
    await page.getByText('Your session has ended.').waitFor()
    await signIn(tab, server)
    await server.call(TokenService.method.revokeTokens, { target: { case: 'clientId', value: 'admin' } }, asAdmin)
    server.admin.token = await mintedBy(server)
    // The overview asks by itself, and may have been told so already.
    await page.evaluate("location.hash = '#/clients'")
    await page.getByText('The server counts your token no longer').waitFor()
    expect(await page.getByText('orders').count()).toBe(0)
    await signIn(tab, server)
    const [request] = await Promise.all([
      page.waitForRequest(/RevokeLeakedToken$/),
      page.getByRole('button', { name: 'Sign out' }).click(),
    ])
    expect(request.method()).toBe('POST')
    await page.getByText('You are signed out, and your token is revoked.').waitFor()
  })

  it('stays of use while the server is slow or away, and goes on when it is back', async () => {
    const tab = await tabOf()
    const { page } = tab
    await signIn(tab, server)
    const held = Promise.withResolvers<void>()
    await page.route(/ListClients$/, async (route) => {
      await held.promise
      await route.continue().catch(() => undefined)
    })
    await visit(tab, 'Clients')
    await page.getByText('Loading…').waitFor()
    await visit(tab, 'Token inspector')
    held.resolve()
    await page.unroute(/ListClients$/)
    await page.context().setOffline(true)
    await page.getByRole('link', { name: 'Clients' }).click()
    await page.getByText('The server did not answer.').waitFor()
    await page.context().setOffline(false)
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByRole('link', { name: 'orders', exact: true }).waitFor()
  })

  it('leaves markup as text, and a script that was injected does not run', async () => {
    const tab = await tabOf()
    const { page } = tab
    await signIn(tab, server)
    await page.goto(`${server.httpUrl}/console/#/clients/orders`)
    await page.getByText(MARKUP).waitFor()
    expect(await page.locator('main img, main script').count()).toBe(0)
    const attempts = {
      script: "document.body.append(Object.assign(document.createElement('script'), { text: 'globalThis.run = 1' }))",
      markup: 'document.body.innerHTML = \'<img src=x onerror="globalThis.run = 1">\'',
      handler: "document.body.setAttribute('onclick', 'globalThis.run = 1'), document.body.click()",
    }
    for (const attempt of Object.values(attempts)) {
      await page.evaluate(`try { ${attempt} } catch {}`)
      expect(await page.evaluate('globalThis.run')).toBeUndefined()
    }
    expect(await page.evaluate("fetch('https://elsewhere.example/').then(() => 'sent', () => 'refused')")).toBe(
      'refused',
    )
  })

  it('keeps a long list in few rows, and reads it to its end', async () => {
    const ids = Array.from({ length: 600 }, (_, at) => `many-${String(at).padStart(4, '0')}`)
    for (let at = 0; at < ids.length; at += 50) {
      await Promise.all(ids.slice(at, at + 50).map((clientId) => server.registerClient({ clientId, scopes: ['a'] })))
    }
    const tab = await tabOf()
    const { page } = tab
    await signIn(tab, server)
    await visit(tab, 'Clients')
    await page.getByLabel('Client id begins with').fill('many-')
    await page.getByRole('link', { name: 'admin', exact: true }).waitFor({ state: 'detached' })
    await page.getByRole('link', { name: 'many-0000' }).waitFor()
    await expect
      .poll(async () => {
        await page.getByRole('region', { name: 'Clients' }).press('End')
        expect(await page.getByRole('row').count()).toBeLessThan(80)
        return await page.getByRole('link', { name: 'many-0599' }).count()
      })
      .toBe(1)
    await page.getByText('600 in all').waitFor()
  })

  it.each([
    ['light', 1_440],
    ['dark', 360],
  ] as const)('has nothing that axe-core finds wrong, %s and %d pixels wide', async (colorScheme, width) => {
    const tab = await tabOf({ colorScheme, viewport: { width, height: 800 } })
    const { page } = tab
    expect(await axeFindings(page)).toEqual([])
    await signIn(tab, server, ['clients.write'])
    await page.getByRole('heading', { name: 'Findings' }).waitFor()
    expect(await axeFindings(page)).toEqual([])
    for (const title of ['Clients', 'Token inspector', 'Audit log', 'Signing keys']) {
      await visit(tab, title)
      await page.getByText('Loading…').waitFor({ state: 'detached' })
      expect(await axeFindings(page)).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
    }
    await page.goto(`${server.httpUrl}/console/#/clients/orders`)
    await page.getByRole('button', { name: 'Disable' }).click()
    await page.getByRole('dialog').waitFor()
    expect(await axeFindings(page)).toEqual([])
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Change', exact: true }).click()
    await page.getByRole('heading', { name: 'Changes' }).waitFor()
    expect(await axeFindings(page)).toEqual([])
  })
})

async function mintedBy(server: TestServer): Promise<string> {
  const { token } = await server.call(TokenService.method.mintToken, { client: server.admin.client })
  return token?.accessToken ?? ''
}
