import { fromBinary } from '@bufbuild/protobuf'
import { beforeAll, describe, expect, it } from 'vitest'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { DeviceService, GetDeviceAuthorizationRequestSchema } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import type { TestServer } from '../setup/server.ts'
import { axeFindings } from './axe.ts'
import { CHROMIUM, consoleOfSuite, holdCalls, signIn, visit } from './console.ts'

const SCOPES = ['calendar.read', 'calendar.write']

describe.skipIf(CHROMIUM === null)('users, their tokens and their devices in the console', () => {
  const suite = consoleOfSuite()
  let phone: Awaited<ReturnType<TestServer['registerClient']>>

  beforeAll(async () => {
    const grantTypes = [GrantType.CLIENT_CREDENTIALS, GrantType.DEVICE_CODE, GrantType.REFRESH_TOKEN]
    phone = await suite.server.registerClient({
      clientId: 'phone',
      displayName: 'Phone',
      grantTypes,
      scopes: SCOPES,
    })
  })
  const startDevice = () =>
    suite.server.call(DeviceService.method.startDeviceAuthorization, { client: phone.client, scopes: SCOPES })
  const redeem = async (deviceCode: string) => {
    const request = { client: phone.client, deviceCode }
    const { token } = await suite.server.call(DeviceService.method.redeemDeviceCode, request)
    return token
  }
  const consentOf = async (externalId: string) => {
    const { deviceCode, userCode } = await startDevice()
    const user = { id: { case: 'externalId' as const, value: externalId } }
    await suite.server.call(DeviceService.method.approveDeviceAuthorization, { userCode, user }, suite.asAdmin)
    return (await redeem(deviceCode))?.accessToken ?? ''
  }
  const areActive = (...tokens: string[]) => suite.server.introspectAll(phone.client, tokens)
  const getUser = (externalId: string) =>
    suite.server.call(UserService.method.getUser, { id: { case: 'externalId', value: externalId } }, suite.asAdmin)

  it('registers a user, whom the server has judged while the id was written', async () => {
    await suite.server.call(UserService.method.registerUser, { externalId: 'known' }, suite.asAdmin)
    const tab = await suite.openTab()
    const { page } = tab
    await signIn(tab, suite.server, ['users.write'])
    await visit(tab, 'Users')
    await page.getByRole('link', { name: 'Register a user', exact: true }).click()
    const id = page.getByLabel('External id')
    await id.fill('x'.repeat(256))
    await page.locator('.field .problem').waitFor()
    await id.fill('known')
    await page.getByText('A user with this external id is registered already').waitFor()
    await id.fill('gina')
    // What was said of the text before goes at once, and not with the next answer.
    expect(await page.getByText('is registered already').count()).toBe(0)
    await page.getByText('The server accepts this registration.').waitFor()
    await expect(getUser('gina')).rejects.toThrow()
    expect(await axeFindings(page)).toEqual([])
    await page.keyboard.press('Enter')
    await page.getByText('gina is registered.').waitFor()
    const { user } = await getUser('gina')
    expect([user?.active, user?.createdBy]).toEqual([true, 'admin'])
    await page.getByRole('link', { name: 'Show the user' }).click()
    await page.getByText(user?.userId ?? 'no id', { exact: true }).waitFor()
  })

  it('locks a form while it is sent, and says when a change may have been made although no answer came', async () => {
    await suite.server.call(UserService.method.registerUser, { externalId: 'hedy' }, suite.asAdmin)
    const tab = await suite.openTab()
    const { page } = tab
    const uncertain = page.getByText('It may have been done. Check before you try again.')
    await signIn(tab, suite.server, ['users.write'])
    await visit(tab, 'Users')
    const id = page.getByLabel('The exact id')
    const release = await holdCalls(page, /GetUser$/)
    await id.fill('hedy')
    await page.keyboard.press('Enter')
    await expect.poll(() => id.isDisabled()).toBe(true)
    await page.context().setOffline(true)
    release()
    await page.getByText('The server did not answer.').waitFor()
    expect(await uncertain.count()).toBe(0)
    await page.locator('input:focus').waitFor()
    await page.context().setOffline(false)
    await page.unroute(/GetUser$/)
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Deactivate' }).click()
    await page.route(/DeactivateUser$/, async (route) => {
      await route.fetch()
      await route.abort()
    })
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('button', { name: 'Deactivate' }).click()
    await uncertain.waitFor()
    await dialog.locator('button:focus', { hasText: 'Deactivate' }).waitFor()
    expect((await getUser('hedy')).user?.active).toBe(false)
  })

  it('lists the tokens and grants of a client, and revokes one, a grant, or all after saying what ends', async () => {
    const [first, second] = [await consentOf('ada'), await consentOf('bob')]
    const tab = await suite.openTab()
    const { page } = tab
    const dialog = page.getByRole('dialog')
    await signIn(tab, suite.server, ['tokens.revoke'])
    await page.goto(`${suite.server.httpUrl}/console/#/clients/phone`)
    await page.getByRole('main').getByRole('link', { name: 'Tokens and grants' }).click()
    await page.getByText('4 in all').waitFor()
    await page
      .getByRole('row', { name: /access phone/ })
      .first()
      .getByRole('button')
      .click()
    await dialog.getByText(SCOPES.join('')).waitFor()
    expect(await axeFindings(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Revoke' }).click()
    await dialog.getByText('this access token ends').waitFor()
    await dialog.getByLabel('Reason, for the audit log').fill('lost phone')
    await dialog.getByRole('button', { name: 'Revoke' }).click()
    await page.getByText('3 in all').waitFor()
    expect(await areActive(first, second)).toEqual([true, false])
    const [event] = await suite.server.auditEvents({ eventTypes: ['token.revoked'] })
    expect(event?.metadata['reason']).toBe('lost phone')

    await page.getByLabel('Show').selectOption('grants')
    await page.getByText('2 in all').waitFor()
    await page.getByRole('row', { name: /phone/ }).last().getByRole('button').click()
    await dialog.getByRole('button', { name: 'Revoke' }).click()
    await dialog.getByText('all access and refresh tokens that were issued on it').waitFor()
    await dialog.getByRole('button', { name: 'Revoke' }).click()
    await page.getByText('1 in all').waitFor()
    expect(await areActive(first)).toEqual([false])

    await page.getByRole('button', { name: 'Revoke everything of this client' }).click()
    await dialog.getByText('1 token and 1 grant of this client').waitFor()
    await dialog.getByRole('button', { name: 'Revoke' }).click()
    await page.getByText('No grant matches.').waitFor()
    await page.getByLabel('State').selectOption('all')
    await page.getByText('2 in all').waitFor()
  })

  it('finds a user by the exact id, deactivates, reactivates and deletes the version that was read', async () => {
    const token = await consentOf('carol')
    const tab = await suite.openTab()
    const { page } = tab
    const dialog = page.getByRole('dialog')
    await signIn(tab, suite.server, ['users.write'])
    await visit(tab, 'Users')
    await page.getByRole('link', { name: 'carol' }).waitFor()
    await page.getByLabel('The exact id').fill('caro')
    await page.getByRole('button', { name: 'Find' }).click()
    await page.getByText('No user has this id.').waitFor()
    await page.getByLabel('The exact id').fill('carol')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Deactivate' }).click()
    await dialog.getByText('2 tokens and 1 grant of this user').waitFor()
    expect(await axeFindings(page)).toEqual([])
    const { user } = await getUser('carol')
    const userId = user?.userId ?? ''
    await suite.server.call(UserService.method.deactivateUser, { userId }, suite.asAdmin)
    await dialog.getByRole('button', { name: 'Deactivate' }).click()
    await dialog.getByText('RESOURCE_CONFLICT').waitFor()
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('deactivated', { exact: true }).waitFor()
    expect(await areActive(token)).toEqual([false])

    await page.getByRole('button', { name: 'Reactivate' }).click()
    await dialog.getByText('work again').waitFor()
    await dialog.getByRole('button', { name: 'Reactivate' }).click()
    await page.getByText('active', { exact: true }).waitFor()
    expect(await areActive(token)).toEqual([true])

    await page.getByRole('button', { name: 'Delete' }).click()
    await dialog.getByText('This cannot be undone.').waitFor()
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('heading', { level: 1, name: 'Users' }).waitFor()
    await page.getByRole('link', { name: 'carol' }).waitFor({ state: 'detached' })
    await expect(getUser('carol')).rejects.toThrow()
  })

  it('records the decision about a device only when somebody takes it', async () => {
    const { deviceCode, userCode } = await startDevice()
    const tab = await suite.openTab()
    const { page, requests } = tab
    const dialog = page.getByRole('dialog')
    await page.goto(`${suite.server.httpUrl}/console/#/devices?user_code=${userCode}`)
    await signIn(tab, suite.server, ['consent'])
    expect(await page.getByLabel('User code').inputValue()).toBe(userCode)
    await expect.poll(() => page.url()).toBe(`${suite.server.httpUrl}/console/#/devices`)
    expect(requests.filter((each) => /DeviceService/.test(each))).toEqual([])
    const [request] = await Promise.all([
      page.waitForRequest(/GetDeviceAuthorization$/),
      page.getByRole('button', { name: 'Look up' }).click(),
    ])
    const { attemptKey } = fromBinary(GetDeviceAuthorizationRequestSchema, request.postDataBuffer() ?? new Uint8Array())
    expect(attemptKey).toMatch(/^[0-9a-f-]{36}$/)
    await page.getByText('not decided', { exact: true }).waitFor()
    expect(await page.getByRole('button', { name: 'Approve…' }).isDisabled()).toBe(true)
    await page.getByRole('checkbox', { name: 'calendar.write' }).uncheck()
    await page.getByLabel('Who consents').fill('dora')
    await page.getByText('No user has this external id.').waitFor()
    // What is typed after the look-up does not matter to the decision.
    await page.getByLabel('User code').fill('typed meanwhile')
    expect(await axeFindings(page)).toEqual([])
    await page.getByRole('button', { name: 'Approve…' }).click()
    await dialog.getByText('Phone (phone) gets tokens that speak for the user dora').waitFor()
    await dialog.getByText('a new user is registered').waitFor()
    expect(await axeFindings(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Approve' }).click()
    await page.getByText('approved', { exact: true }).waitFor()
    expect((await redeem(deviceCode))?.scopes).toEqual(['calendar.read'])
    expect((await getUser('dora')).user?.active).toBe(true)

    await page.getByLabel('User code').fill('BBBB-BBBB')
    await page.getByRole('button', { name: 'Look up' }).click()
    await page.getByText('No device waits with this code').waitFor()
    const refused = await startDevice()
    await page.getByLabel('User code').fill(refused.userCode)
    await page.getByRole('button', { name: 'Look up' }).click()
    await page.getByRole('button', { name: 'Deny…' }).click()
    await dialog.getByRole('button', { name: 'Deny' }).click()
    await page.getByText('denied', { exact: true }).waitFor()
    await expect(redeem(refused.deviceCode)).rejects.toThrow()
  })

  it('fills in the code of verification_uri_complete, which leaves the address at once and is in no log', async () => {
    const { userCode, verificationUri, verificationUriComplete } = await startDevice()
    expect(verificationUriComplete).toBe(`${verificationUri}?user_code=${userCode}`)
    const here = (uri: string) => uri.replace(new URL(uri).origin, suite.server.httpUrl)
    const console = `${suite.server.httpUrl}/console/`
    const spellings = [
      here(verificationUriComplete),
      `${console}?user_code=${userCode}`,
      `${console}#/devices?user_code=${userCode}`,
    ]
    for (const address of spellings) {
      const tab = await suite.openTab()
      const { page, requests } = tab
      await page.goto('about:blank')
      await page.goto(address)
      await page.getByRole('heading', { name: 'QScope console' }).waitFor()
      await expect.poll(() => page.url()).toBe(`${console}#/devices`)
      await signIn(tab, suite.server, ['consent'])
      expect(await page.getByLabel('User code').inputValue()).toBe(userCode)
      expect(requests.filter((each) => /DeviceService/.test(each))).toEqual([])
      await page.getByRole('button', { name: 'Look up' }).click()
      await page.getByText('not decided', { exact: true }).waitFor()
      await visit(tab, 'Users')
      await visit(tab, 'Device approvals')
      expect(await page.getByLabel('User code').inputValue()).toBe('')
      await page.goBack()
      await page.goBack()
      expect(page.url()).not.toContain(userCode)
    }
    expect(JSON.stringify(suite.server.lines)).not.toContain(userCode)
  })

  it('fills in the code of a link that is opened during the session, the same one twice, too', async () => {
    const tab = await suite.openTab()
    const { page } = tab
    const code = page.getByLabel('User code')
    await signIn(tab, suite.server, ['consent'])
    for (const userCode of ['BCDF-GHJK', 'LMNP-QRST', 'LMNP-QRST']) {
      await page.evaluate(`location.hash = '#/devices?user_code=${userCode}'`)
      await expect.poll(() => page.url()).toBe(`${suite.server.httpUrl}/console/#/devices`)
      await expect.poll(() => code.inputValue()).toBe(userCode)
      await code.fill('')
    }
    expect(tab.requests.filter((each) => /DeviceService/.test(each))).toEqual([])
  })

  it('takes the code of a link out of the address wherever it is opened', async () => {
    const cleaned = `${suite.server.httpUrl}/console/#/devices`
    const tab = await suite.openTab()
    const { page } = tab
    const code = page.getByLabel('User code')
    const open = (userCode: string) => `location.hash = '#/devices?user_code=${userCode}'`
    // Before the sign-in.
    await page.evaluate(open('BCDF-GHJK'))
    await expect.poll(() => page.url()).toBe(cleaned)
    await signIn(tab, suite.server, ['consent'])
    expect(await code.inputValue()).toBe('BCDF-GHJK')
    await page.getByRole('button', { name: 'Sign out' }).click()
    // As soon as the pages are there, before the next frame.
    await page.evaluate(`new MutationObserver((changes, observer) => {
      if (document.querySelector('nav') === null) return
      observer.disconnect()
      ${open('LMNP-QRST')}
    }).observe(document, { childList: true, subtree: true })`)
    await signIn(tab, suite.server, ['consent'])
    await expect.poll(() => page.url()).toBe(cleaned)
    await expect.poll(() => code.inputValue()).toBe('LMNP-QRST')
    await page.getByRole('button', { name: 'Sign out' }).click()
    // Without the permission.
    await signIn(tab, suite.server)
    await page.evaluate(open('VWXZ-BCDF'))
    await expect.poll(() => page.url()).toBe(cleaned)
    await page.getByText('Your token does not permit this. You need qscope:consent.').waitFor()
  })

  it('shows what a session that only reads may not do', async () => {
    await consentOf('erin')
    const tab = await suite.openTab()
    const { page } = tab
    await signIn(tab, suite.server)
    await visit(tab, 'Device approvals')
    await page.getByText('Your token does not permit this. You need qscope:consent.').waitFor()
    await visit(tab, 'Users')
    await page.getByRole('link', { name: 'Register a user (not permitted)' }).click()
    await page.getByText('Your token does not permit this. You need qscope:users.write.').waitFor()
    expect(await page.getByLabel('External id').count()).toBe(0)
    await visit(tab, 'Users')
    await page.getByRole('link', { name: 'erin' }).click()
    await page.getByRole('button', { name: /Deactivate .*lacks qscope:users\.write/ }).click({ force: true })
    expect(await page.getByRole('dialog').count()).toBe(0)
    await page.getByRole('main').getByRole('link', { name: 'Tokens and grants' }).click()
    await page.getByText('2 in all').waitFor()
    const revoke = page.getByRole('button', { name: /Revoke everything of this user .*lacks qscope:tokens\.revoke/ })
    expect(await revoke.getAttribute('aria-disabled')).toBe('true')
  })

  it('lets somebody approve who cannot read users, and says what that may do', async () => {
    const { userCode } = await startDevice()
    const { client } = await suite.server.registerClient({ scopes: ['qscope:consent'] })
    const tab = await suite.openTab()
    const { page } = tab
    await page.getByRole('button', { name: 'Sign in with a token instead' }).click()
    await page.getByLabel('Access token').fill(await suite.mint(client))
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await visit(tab, 'Device approvals')
    await page.getByLabel('User code').fill(userCode)
    await page.getByRole('button', { name: 'Look up' }).click()
    await page.getByLabel('Who consents').fill('frank')
    await page.getByText('Your token cannot read users').waitFor()
    await page.getByRole('button', { name: 'Approve…' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('Your token cannot read users').waitFor()
    await dialog.getByRole('button', { name: 'Approve' }).click()
    await page.getByText('approved', { exact: true }).waitFor()
    expect((await getUser('frank')).user?.active).toBe(true)
    // The token may not ask what it permits either, so each page learns it from the server.
    for (const title of [
      'Overview',
      'Clients',
      'Users',
      'Trusted issuers',
      'Tokens and grants',
      'Audit log',
      'Signing keys',
    ]) {
      await visit(tab, title)
      await page.getByText(/Your token does not permit this\. You need qscope:\w+\.read\./).waitFor()
      expect(await page.getByRole('alert').count()).toBe(0)
      expect(await page.getByText('there are more').count()).toBe(0)
    }
    await visit(tab, 'Token inspector')
    await page.getByLabel('Token', { exact: true }).fill(suite.server.admin.token)
    await page.getByRole('button', { name: 'Inspect' }).click()
    await page.getByText('Your token does not permit this. You need qscope:tokens.read.').waitFor()
    expect(await page.getByRole('alert').count()).toBe(0)
  })

  it('lists and revokes what a user has by the external id, and shows nothing beside an id that no user has', async () => {
    const tokens = [await consentOf('iris'), await consentOf('jane')]
    const { user } = await getUser('iris')
    const tab = await suite.openTab()
    const { page } = tab
    const dialog = page.getByRole('dialog')
    await signIn(tab, suite.server, ['tokens.revoke'])
    await visit(tab, 'Tokens and grants')
    const rows = page.getByRole('row', { name: user?.userId ?? 'no id' })
    await page.getByLabel('User by').selectOption('external id')
    await page.getByLabel('The user’s id').fill('iris')
    await page.keyboard.press('Enter')
    await page.getByText('2 in all').waitFor()
    await expect.poll(() => rows.count()).toBe(2)
    await page.getByLabel('Show').selectOption('grants')
    await page.getByText('1 in all').waitFor()
    await expect.poll(() => rows.count()).toBe(1)
    await page.getByRole('button', { name: 'Revoke everything of this user' }).click()
    await dialog.getByText('2 tokens and 1 grant of this user').waitFor()
    await dialog.getByRole('button', { name: 'Revoke' }).click()
    await page.getByText('No grant matches.').waitFor()
    expect(await areActive(...tokens)).toEqual([false, true])
    await page.getByLabel('The user’s id').fill('nobody')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('RESOURCE_NOT_FOUND').waitFor()
    expect(await page.getByRole('row').count()).toBe(0)
    expect(await page.getByRole('button', { name: /Revoke everything/ }).count()).toBe(0)
  })
})
