import { readFile } from 'node:fs/promises'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { KeyService, ListSigningKeysRequestSchema, SigningKeyState } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { ServerService } from '../../src/gen/qscope/v1/server_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { axeFindings } from './axe.ts'
import { CHROMIUM, consoleOfSuite, holdCalls, signIn, visit } from './console.ts'

describe.skipIf(CHROMIUM === null)('the pages of the console for operators', () => {
  const suite = consoleOfSuite()

  it('explains a pasted token check by check, and how to fix what fails', async () => {
    const tab = await suite.openTab()
    const { page } = tab
    await signIn(tab, suite.server)
    await visit(tab, 'Token inspector')
    const inspect = async (token: string, scopes: string) => {
      await page.getByLabel('Token', { exact: true }).fill(token)
      await page.getByLabel('Required scopes').fill(scopes)
      await page.getByRole('button', { name: 'Inspect' }).click()
    }
    await inspect(suite.server.admin.token, '')
    await page.getByText('The token is accepted').waitFor()
    await inspect(suite.server.admin.token, 'stock.read')
    await page.getByText('The token is refused').waitFor()
    const failed = page.locator('.checks li', { hasText: 'failed' })
    expect(await failed.count()).toBe(1)
    expect(await failed.innerText()).toContain('How to fix it:')
    await inspect(suite.server.unknownToken(), '')
    await page.getByText('The token is unknown').waitFor()
  })

  it('lists, follows and verifies the audit log', async () => {
    const tab = await suite.openTab()
    const { page } = tab
    await signIn(tab, suite.server)
    await visit(tab, 'Audit log')
    await page.getByRole('button', { name: 'client.registered' }).first().click()
    await page.getByRole('dialog').getByText('Actor', { exact: true }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Follow' }).click()
    await page.getByText('Following: events appear').waitFor()
    await suite.server.registerClient({ clientId: 'followed', scopes: ['a'] })
    await page
      .getByRole('row', { name: /followed/ })
      .first()
      .waitFor()
    await page.getByRole('button', { name: 'Verify the whole log' }).click()
    await page.getByText('intact', { exact: true }).waitFor()
    await page.getByLabel('Event types').fill('no.such_event')
    await page.getByText('No longer following.').waitFor()
    await Promise.all([
      page.waitForRequest(/WatchAuditEvents$/),
      page.getByRole('button', { name: 'Try again' }).click(),
    ])
    await page.getByText('No longer following.').waitFor()
    // What came before is shown again, and what happens while the filter is changed is not missed.
    await page.context().setOffline(true)
    await page.getByLabel('Event types').fill('client.registered')
    await page.getByText('Not connected.').waitFor()
    await suite.server.registerClient({ clientId: 'meanwhile', scopes: ['a'] })
    await page.context().setOffline(false)
    await page.getByText('Following: events appear').waitFor()
    for (const name of [/followed/, /meanwhile/]) await page.getByRole('row', { name }).first().waitFor()
    await page.getByRole('button', { name: 'Stop following' }).click()
    await page.getByLabel('Client id').fill('followed')
    const download = page.waitForEvent('download')
    await page.getByText('1 in all').waitFor()
    await page.getByRole('button', { name: 'Export these events' }).click()
    expect((await download).suggestedFilename()).toBe('qscope-audit.jsonl')
    await page.getByText('Saved 1 event.').waitFor()
    await page.getByLabel('From', { exact: true }).fill('2020-01-01T00:00')
    await page.getByLabel('Until').fill('2020-01-02T00:00')
    await page.getByText('No event matches.').waitFor()
    await page.getByLabel('Until').fill('')
    await page.getByText('1 in all', { exact: true }).waitFor()
    const [event] = await suite.server.auditEvents({ clientId: 'followed' })
    await page.getByLabel('Client id').fill('')
    await page.getByLabel('Ray id').fill(event?.rayId ?? 'no id')
    await page.getByText('1 in all', { exact: true }).waitFor()
    await page.getByRole('row', { name: /followed/ }).waitFor()
    await page.getByLabel('User id').fill('01900000-0000-7000-8000-000000000000')
    await page.getByText('No event matches.').waitFor()
  })

  it('compares the audit log with an exported head, refuses what is none, and shows an event that was changed', async () => {
    const tab = await suite.openTab()
    const { page } = tab
    await signIn(tab, suite.server)
    await visit(tab, 'Audit log')
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Export the head' }).click(),
    ])
    const head = await readFile(await download.path(), 'utf8')
    const chosen = page.getByLabel('Compare with an exported head')
    const verify = page.getByRole('button', { name: 'Verify the whole log' })
    const verifyWith = async (text: string) => {
      await chosen.setInputFiles({ name: 'head.json', mimeType: 'application/json', buffer: Buffer.from(text) })
      await verify.click()
    }
    await verifyWith(head)
    await page.getByText('intact', { exact: true }).waitFor()
    await verifyWith(head.replace(/"createTime":"\d+/, '"createTime":"1999'))
    await page.getByRole('alert').getByRole('listitem').filter({ hasText: 'has been changed' }).waitFor()
    await verifyWith('')
    await page.getByRole('alert').getByRole('listitem').filter({ hasText: 'is not an exported head' }).waitFor()
    expect(await page.getByText('intact', { exact: true }).count()).toBe(0)
    expect(await axeFindings(page)).toEqual([])

    const [event] = await suite.query('select event_id, writer_id, sequence from oauth_audit_log limit 1')
    await suite.query('drop trigger oauth_audit_log_no_update')
    await suite.query(`update oauth_audit_log set actor = 'another' where event_id = '${event?.['event_id']}'`)
    await chosen.setInputFiles([])
    await verify.click()
    await page.getByText('broken', { exact: true }).waitFor()
    const found = await page.getByRole('status').getByRole('listitem').allInnerTexts()
    expect(found).toEqual([`the row does not match its hash ${event?.['writer_id']} ${event?.['sequence']}`])
  })

  it('shows how often each method was called and why calls were refused', async () => {
    const client = { clientId: 'nobody', method: { case: 'clientSecret' as const, value: 'wrong' } }
    for (let times = 0; times < 3; times++) {
      await expect(suite.server.call(TokenService.method.mintToken, { client })).rejects.toThrow()
    }
    const tab = await suite.openTab()
    const { page } = tab
    await signIn(tab, suite.server)
    const figuresOf = async (table: string, name: string) => {
      const region = page.getByRole('region', { name: table })
      const row = region.getByRole('row').filter({ has: page.getByRole('rowheader', { name }) })
      await row.waitFor()
      return await row.getByRole('cell').allInnerTexts()
    }
    const perSecond = expect.stringMatching(/^(?!0\.00)\d+/)
    expect(await figuresOf('Refusals', 'OAUTH_INVALID_CLIENT')).toEqual([perSecond, '3'])
    const { calls } = await suite.server.call(ServerService.method.getServerStatus, {}, suite.asAdmin)
    const mints = calls.find(({ method }) => method.endsWith('TokenService/MintToken'))?.count
    expect(await figuresOf('Calls', 'TokenService/MintToken')).toEqual([perSecond, String(mints)])
  })

  it('takes a signing key through its life, and says what each step means', async () => {
    const tab = await suite.openTab()
    const { page } = tab
    const dialog = page.getByRole('dialog')
    const getKey = async () => {
      const { keys } = await suite.server.call(KeyService.method.listSigningKeys, {}, suite.asAdmin)
      return keys[0]
    }
    await signIn(tab, suite.server, ['keys.write'])
    const release = await holdCalls(page, /ListSigningKeys$/)
    await visit(tab, 'Signing keys')
    await page.getByText('Loading…').waitFor()
    expect(await page.getByText('There is no key yet').count()).toBe(0)
    release()
    await page.getByText('There is no key yet').waitFor()
    await page.unroute(/ListSigningKeys$/)
    await page.getByRole('button', { name: 'Prepare a key' }).click()
    await dialog.getByRole('button', { name: 'Prepare a key' }).click()
    await page.getByText(/prepared from \d{4}-/).waitFor()
    const keyId = (await getKey())?.keyId ?? ''
    const start = async (action: string, consequence: string) => {
      await page.getByRole('button', { name: `${action} ${keyId}`, exact: true }).click()
      await dialog.getByText(consequence).waitFor()
    }
    await start('Activate', 'It signs from now on.')
    await dialog.getByRole('button', { name: 'Activate' }).click()
    await page.getByText(/signing from \d{4}-/).waitFor()
    await start('Retire', 'Tokens that it signed are valid until they expire.')
    await dialog.getByRole('button', { name: 'Retire' }).click()
    await page.getByText(/retired from \d{4}-/).waitFor()
    expect((await getKey())?.state).toBe(SigningKeyState.RETIRED)
    await start('Revoke', 'This server refuses every token that it signed')
    await dialog.getByLabel('Reason, for the audit log').fill('copied')
    await dialog.getByRole('button', { name: 'Revoke' }).click()
    await page.getByText(/revoked from \d{4}-/).waitFor()
    expect((await getKey())?.state).toBe(SigningKeyState.REVOKED)
    const [event] = await suite.server.auditEvents({ eventTypes: ['key.revoked'] })
    expect(event?.metadata).toMatchObject({ key_id: keyId, reason: 'copied' })
    expect(await page.getByRole('button', { name: keyId }).count()).toBe(0)

    await suite.server.call(KeyService.method.prepareSigningKey, {}, suite.asAdmin)
    await page.route(/ListSigningKeys$/, (route) => {
      const request = fromBinary(ListSigningKeysRequestSchema, route.request().postDataBuffer() ?? new Uint8Array())
      const postData = Buffer.from(toBinary(ListSigningKeysRequestSchema, { ...request, pageSize: 1 }))
      return route.continue({ postData })
    })
    await visit(tab, 'Overview')
    await visit(tab, 'Signing keys')
    await page.getByText(/prepared from \d{4}-/).waitFor()
    expect(await page.locator('.cards > li').count()).toBe(1)
    await page.getByRole('button', { name: 'Show older keys' }).click()
    await page.getByText(/signing from \d{4}-/).waitFor()
    expect(await page.locator('.cards > li').count()).toBe(2)
    expect(await page.getByRole('button', { name: 'Show older keys' }).count()).toBe(0)
  })
})
