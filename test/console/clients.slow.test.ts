import type { Locator, Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { ClientType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { CHROMIUM, consoleOfSuite, holdCalls, signIn, visit } from './console.ts'

describe.skipIf(CHROMIUM === null)('the clients of the console', () => {
  const suite = consoleOfSuite()
  beforeAll(async () => {
    await suite.server.registerClient({ clientId: 'orders', scopes: ['stock.read'] })
  })

  it('registers a client that the server has judged while it was written, and shows its secret', async () => {
    const tab = await suite.openTab()
    const { page } = tab
    await signIn(tab, suite.server, ['clients.write'])
    await visit(tab, 'Clients')
    await page.getByRole('link', { name: 'Register a client' }).click()
    await page.getByLabel('Client id').fill('orders')
    await page.getByText('REGISTRATION_CLIENT_IDENTIFIER_CONFLICT').or(page.locator('.problem')).first().waitFor()
    await page.getByLabel('Client id').fill('a b')
    await page.locator('.field .problem').waitFor()
    await page.getByLabel('Authentication method').selectOption('federated JWT')
    const identities = page.locator('.field', { hasText: 'Federated identities' })
    await identities.getByRole('textbox').fill('https://ci.example')
    await identities.locator('.problem').waitFor()
    await page.getByLabel('Authentication method').selectOption('default of the type')
    await page.getByLabel('Client id').fill('invoices')
    await page.getByLabel('Scopes').fill('qscope:keys.write')
    await page.getByText('Your token does not permit this. You need qscope:keys.write.').waitFor()
    expect(await page.locator('.problem').count()).toBe(0)
    await page.getByLabel('Scopes').fill('stock.read\nstock.write')
    await page.getByText('The server accepts this registration.').waitFor()
    await page.getByRole('button', { name: 'Register' }).click()
    await page.getByRole('dialog', { name: 'The new secret of invoices' }).waitFor()
    const secret = await page.locator('.secret').innerText()
    await page.evaluate("navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed'))")
    await page.getByRole('button', { name: 'Copy' }).click()
    await page.getByText('The browser did not allow that.').waitFor()
    const client = { clientId: 'invoices', method: { case: 'clientSecret' as const, value: secret } }
    const { token } = await suite.server.call(TokenService.method.mintToken, { client })
    expect(token?.scopes).toEqual(['stock.read', 'stock.write'])
  })

  it('changes a client by a difference, and shows what somebody else changed meanwhile', async () => {
    const { clientId } = await suite.server.registerClient({ clientId: 'edited', scopes: ['a'], audiences: ['x'] })
    const tab = await suite.openTab()
    const { page } = tab
    await signIn(tab, suite.server, ['clients.write'])
    await visit(tab, 'Clients')
    await page.getByRole('link', { name: clientId, exact: true }).click()
    await page.getByRole('button', { name: 'Change', exact: true }).click()
    const lifetime = page.locator('.field', { hasText: 'Access token lifetime' })
    await lifetime.getByRole('spinbutton').fill('1e9')
    await lifetime.locator('.problem').waitFor()
    await lifetime.getByRole('spinbutton').fill('1e3')
    await page.locator('ins', { hasText: /^1000$/ }).waitFor()
    await page.getByLabel('Scopes').fill('b')
    await page.locator('del', { hasText: 'a' }).waitFor()
    await page.locator('ins', { hasText: 'b' }).waitFor()
    const other = { client: { clientId, displayName: 'Renamed' }, updateMask: { paths: ['display_name'] } }
    await suite.server.call(ClientService.method.updateClient, other, suite.asAdmin)
    await page.route(/GetClient$/, (route) => route.abort(), { times: 1 })
    await page.getByRole('button', { name: 'Save these changes' }).click()
    const conflict = page.getByRole('alert')
    await conflict.getByText('The server did not answer.').waitFor()
    await page.getByRole('button', { name: 'Save these changes' }).click()
    await conflict.getByText('Renamed').waitFor()
    await conflict.getByRole('button', { name: 'Apply my changes to that version' }).click()
    await page.getByRole('button', { name: 'Save these changes' }).click()
    await page.getByRole('button', { name: 'Change', exact: true }).waitFor()
    const { client } = await suite.server.call(ClientService.method.getClient, { clientId }, suite.asAdmin)
    expect([client?.displayName, client?.scopes, client?.audiences]).toEqual(['Renamed', ['b'], ['x']])
    expect(client?.config?.accessTokenTtl?.seconds).toBe(1_000n)
  })

  it('has the browser ask before a tab is closed that holds unsaved content or a secret that was not copied', async () => {
    const tab = await suite.openTab()
    const { page } = tab
    const asks = () => page.evaluate<boolean>("!dispatchEvent(new Event('beforeunload', { cancelable: true }))")
    await signIn(tab, suite.server, ['clients.write'])
    await visit(tab, 'Clients')
    await page.getByRole('link', { name: 'Register a client' }).click()
    await page.getByLabel('Client id').fill('unsaved')
    await expect.poll(asks).toBe(true)
    await visit(tab, 'Clients')
    await expect.poll(asks).toBe(false)
    await page.getByRole('link', { name: 'Register a client' }).click()
    await page.getByRole('heading', { level: 1, name: 'Register a client' }).waitFor()
    expect(await asks()).toBe(false)
    await page.getByLabel('Client id').fill('asked')
    await page.getByRole('button', { name: 'Register' }).click()
    await page.getByRole('dialog').waitFor()
    await expect.poll(asks).toBe(true)
    await page.evaluate('navigator.clipboard.writeText = () => Promise.resolve()')
    await page.getByRole('button', { name: 'Copy' }).click()
    await expect.poll(asks).toBe(false)
    await page.getByRole('button', { name: 'I have stored it' }).click()
    await page.getByRole('link', { name: 'Show the client' }).click()
    await page.getByRole('button', { name: 'Change', exact: true }).click()
    await page.getByRole('heading', { name: 'Changes' }).waitFor()
    expect(await asks()).toBe(false)
    await page.getByLabel('Name').fill('Unsaved')
    await expect.poll(asks).toBe(true)
    const questions: string[] = []
    page.on('dialog', (question) => {
      questions.push(question.type())
      void question.accept()
    })
    await page.reload()
    expect(questions).toEqual(['beforeunload'])
  })

  it('rotates a secret with an overlap, disables a client after saying what that ends, and lists clients by state and type', async () => {
    const { clientId, client } = await suite.server.registerClient({ clientId: 'rotated', scopes: ['a'] })
    await suite.server.call(TokenService.method.mintToken, { client })
    const tab = await suite.openTab()
    const { page } = tab
    await signIn(tab, suite.server, ['clients.write'])
    await page.goto(`${suite.server.httpUrl}/console/#/clients/${clientId}`)
    await page.getByRole('button', { name: 'Rotate the secret' }).click()
    await page.getByLabel('Older secrets keep working for').selectOption('1 hour')
    const release = await holdCalls(page, /RotateClientSecret$/)
    await page.getByRole('button', { name: 'Create a new secret' }).click()
    await page.getByRole('button', { name: 'Working…' }).waitFor()
    expect(await page.getByRole('button', { name: 'Cancel' }).isDisabled()).toBe(true)
    for (let times = 0; times < 3; times++) await page.keyboard.press('Escape')
    release()
    const value = await page.locator('.secret').innerText()
    for (let times = 0; times < 3; times++) await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'I have stored it' }).click()
    // On the page, and not at the beginning of the document.
    await page.locator('main:focus, main button:focus').waitFor()
    const rotated = { clientId, method: { case: 'clientSecret' as const, value } }
    await suite.server.call(TokenService.method.mintToken, { client: rotated })
    const { token } = await suite.server.call(TokenService.method.mintToken, { client })
    const dialog = page.getByRole('dialog')
    await page.route(/ListGrants$/, (route) => route.abort(), { times: 1 })
    await page.getByRole('button', { name: 'Disable' }).click()
    await dialog.getByText('The tokens and grants could not be counted: The server did not answer.').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Disable' }).click()
    await dialog.getByText('3 tokens and 0 grants').waitFor()
    const opener = page.locator('main button:focus', { hasText: /^Disable$/ })
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    await opener.waitFor()
    await page.keyboard.press('Enter')
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await dialog.waitFor({ state: 'detached' })
    await opener.waitFor()
    await page.keyboard.press('Enter')
    await dialog.getByRole('button', { name: 'Disable' }).click()
    await page.getByText('disabled', { exact: true }).waitFor()
    await page.locator('main button:focus', { hasText: /^Enable$/ }).waitFor()
    expect(await suite.server.introspectAll(suite.server.admin.client, [token?.accessToken ?? ''])).toEqual([false])

    await suite.server.registerClient({ clientId: 'spa', type: ClientType.PUBLIC, grantTypes: [] })
    await visit(tab, 'Clients')
    const listed = page.getByRole('region', { name: 'Clients' }).getByRole('link')
    await page.getByLabel('State').selectOption('disabled')
    await expect.poll(() => listed.allInnerTexts()).toEqual([clientId])
    await page.getByLabel('Type').selectOption('public')
    await page.getByText('No client matches.').waitFor()
    await page.getByLabel('State').selectOption('enabled')
    await expect.poll(() => listed.allInnerTexts()).toEqual(['spa'])
  })

  it('works by the keyboard alone, which skips what is on every page and stays in a dialog', async () => {
    const { clientId } = await suite.server.registerClient({ clientId: 'typed', scopes: ['a'] })
    const { page } = await suite.openTab()
    const focused = page.locator(':focus')
    const arrive = (name: string) => page.getByRole('heading', { level: 1, name, exact: true }).and(focused).waitFor()
    const button = (name: string) => page.getByRole('button', { name, exact: true })
    const press = async (target: Locator, key: 'Enter' | 'Space' = 'Enter') => {
      await target.waitFor()
      await tabTo(page, target)
      await page.keyboard.press(key)
    }
    const write = async (label: string, text: string) => {
      await tabTo(page, page.getByLabel(label, { exact: true }))
      await page.keyboard.type(text)
    }
    await write('Client id', 'admin')
    await write('Client secret', suite.server.admin.clientSecret)
    await press(page.getByRole('checkbox', { name: 'clients.write' }), 'Space')
    await press(button('Sign in'))
    await arrive('Overview')
    await press(page.getByRole('navigation').getByRole('link', { name: 'Clients' }))
    await arrive('Clients')
    await press(button('Skip to the page'))
    await page.locator('main:focus').waitFor()
    await press(page.getByRole('link', { name: clientId, exact: true }))
    await arrive(clientId)
    await press(button('Change'))
    await arrive(`Change ${clientId}`)
    await write('Name', 'By keyboard')
    await press(button('Save these changes'))
    await arrive(clientId)
    await press(button('Disable'))
    const dialog = page.getByRole('dialog')
    await dialog.waitFor()
    for (let times = 0; times < 6; times++) {
      await page.keyboard.press('Tab')
      expect(await page.locator(':focus:not(dialog, dialog *)').count()).toBe(0)
    }
    await press(dialog.getByRole('button', { name: 'Disable' }))
    await page.getByText('disabled', { exact: true }).waitFor()
    const { client } = await suite.server.call(ClientService.method.getClient, { clientId }, suite.asAdmin)
    expect([client?.displayName, client?.enabled]).toEqual(['By keyboard', false])
  })
})

/** More than a page has places for the focus. */
const MOST_TABS = 100

/** Presses Tab until an element has the focus. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  const reached = target.and(page.locator(':focus'))
  for (let times = 0; (await reached.count()) === 0; times++) {
    expect(times).toBeLessThan(MOST_TABS)
    await page.keyboard.press('Tab')
  }
}
