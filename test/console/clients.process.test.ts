import { beforeAll, describe, expect, it } from 'vitest'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { CHROMIUM, consoleOfSuite, holdCalls, signIn, visit } from './console.ts'

describe.skipIf(CHROMIUM === null)('the clients of the console', () => {
  const console = consoleOfSuite()
  beforeAll(async () => {
    await console.server.registerClient({ clientId: 'orders', scopes: ['stock.read'] })
  })

  it('registers a client that the server has judged while it was written, and shows its secret', async () => {
    const tab = await console.openTab()
    const { page } = tab
    await signIn(tab, console.server, ['clients.write'])
    await visit(tab, 'Clients')
    await page.getByRole('link', { name: 'Register a client' }).click()
    await page.getByLabel('Client id').fill('orders')
    await page.getByText('REGISTRATION_CLIENT_IDENTIFIER_CONFLICT').or(page.locator('.problem')).first().waitFor()
    await page.getByLabel('Client id').fill('a b')
    await page.locator('.field .problem').waitFor()
    await page.getByLabel('Client id').fill('invoices')
    await page.getByLabel('Scopes').fill('stock.read\nstock.write')
    await page.getByText('The server accepts this registration.').waitFor()
    await page.getByRole('button', { name: 'Register' }).click()
    const secret = await page.locator('.secret').innerText()
    await page.evaluate("navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed'))")
    await page.getByRole('button', { name: 'Copy' }).click()
    await page.getByText('The browser did not allow that.').waitFor()
    expect(tab.complaints).toEqual([])
    const client = { clientId: 'invoices', method: { case: 'clientSecret' as const, value: secret } }
    const { token } = await console.server.call(TokenService.method.mintToken, { client })
    expect(token?.scopes).toEqual(['stock.read', 'stock.write'])
  })

  it('changes a client by a difference, and shows what somebody else changed meanwhile', async () => {
    const { clientId } = await console.server.registerClient({ clientId: 'edited', scopes: ['a'], audiences: ['x'] })
    const tab = await console.openTab()
    const { page } = tab
    await signIn(tab, console.server, ['clients.write'])
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
    await console.server.call(ClientService.method.updateClient, other, console.asAdmin)
    await page.route(/GetClient$/, (route) => route.abort(), { times: 1 })
    await page.getByRole('button', { name: 'Save these changes' }).click()
    const conflict = page.getByRole('alert')
    await conflict.getByText('The server did not answer.').waitFor()
    await page.getByRole('button', { name: 'Save these changes' }).click()
    await conflict.getByText('Renamed').waitFor()
    await conflict.getByRole('button', { name: 'Apply my changes to that version' }).click()
    await page.getByRole('button', { name: 'Save these changes' }).click()
    await page.getByRole('button', { name: 'Change', exact: true }).waitFor()
    const { client } = await console.server.call(ClientService.method.getClient, { clientId }, console.asAdmin)
    expect([client?.displayName, client?.scopes, client?.audiences]).toEqual(['Renamed', ['b'], ['x']])
    expect(client?.config?.accessTokenTtl?.seconds).toBe(1_000n)
    expect(tab.complaints).toEqual([])
  })

  it('rotates a secret with an overlap, and disables a client after saying what that ends', async () => {
    const { clientId, client } = await console.server.registerClient({ clientId: 'rotated', scopes: ['a'] })
    await console.server.call(TokenService.method.mintToken, { client })
    const tab = await console.openTab()
    const { page } = tab
    await signIn(tab, console.server, ['clients.write'])
    await page.goto(`${console.server.httpUrl}/console/#/clients/${clientId}`)
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
    const rotated = { clientId, method: { case: 'clientSecret' as const, value } }
    await console.server.call(TokenService.method.mintToken, { client: rotated })
    const { token } = await console.server.call(TokenService.method.mintToken, { client })
    await page.getByRole('button', { name: 'Disable' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('3 tokens and 0 grants').waitFor()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Disable' }).click()
    await dialog.getByRole('button', { name: 'Disable' }).click()
    await page.getByText('disabled', { exact: true }).waitFor()
    expect(await console.server.introspectAll(console.server.admin.client, [token?.accessToken ?? ''])).toEqual([false])
  })

  it('keeps a long list in few rows, and reads it to its end', async () => {
    const ids = Array.from({ length: 600 }, (_, at) => `many-${String(at).padStart(4, '0')}`)
    for (let at = 0; at < ids.length; at += 50) {
      await Promise.all(
        ids.slice(at, at + 50).map((clientId) => console.server.registerClient({ clientId, scopes: ['a'] })),
      )
    }
    const tab = await console.openTab()
    const { page } = tab
    await signIn(tab, console.server)
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
})
