import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { KeyService } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { TrustService } from '../../src/gen/qscope/v1/trust_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { axeFindings } from './axe.ts'
import { CHROMIUM, consoleOfSuite, signIn, TITLES, visit } from './console.ts'

const MARKUP = '<img src=x onerror="document.title=1"><script>document.title=2</script>'

describe.skipIf(CHROMIUM === null)('every page of the console', () => {
  const suite = consoleOfSuite()
  /** The pages that no link of the navigation leads to: the part of the address behind `#/`, the heading and the title. */
  let others: readonly (readonly [hash: string, heading: string, title?: string])[] = []
  beforeAll(async () => {
    await suite.server.registerClient({ clientId: 'orders', displayName: MARKUP, scopes: ['stock.read'] })
    const { user } = await suite.server.call(UserService.method.registerUser, { externalId: 'ada' }, suite.asAdmin)
    const trustedIssuer = { issuer: 'https://ci.example', keys: { case: 'discovery', value: true } } as const
    await suite.server.call(TrustService.method.createTrustedIssuer, { trustedIssuer }, suite.asAdmin)
    await suite.server.call(KeyService.method.prepareSigningKey, {}, suite.asAdmin)
    others = [
      ['clients/orders', 'orders', 'Client orders'],
      ['register-client', 'Register a client'],
      [`users/${user?.userId}`, 'ada', 'User ada'],
      ['register-user', 'Register a user'],
      ['issuers/https%3A%2F%2Fci.example', 'https://ci.example', 'Trusted issuer https://ci.example'],
      ['create-issuer', 'Create a trusted issuer'],
      ['test-assertion', 'Test an assertion'],
      ['no-such-page', 'Not found'],
    ]
  })
  const headingOf = (page: Page, name: string) => page.getByRole('heading', { level: 1, name, exact: true })

  it('leaves markup as text, and a script that was injected does not run', async () => {
    const tab = await suite.openTab()
    const { page } = tab
    await signIn(tab, suite.server)
    await page.goto(`${suite.server.httpUrl}/console/#/clients/orders`)
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
    await expect
      .poll(() => tab.violations)
      .toEqual([
        'require-trusted-types-for trusted-types-sink',
        'require-trusted-types-for trusted-types-sink',
        'require-trusted-types-for trusted-types-sink',
        'connect-src https://elsewhere.example/',
      ])
    // The end of the test expects none but these.
    tab.violations.length = 0
    tab.complaints.length = 0
  })

  it('has a title that names what it shows, and a heading that takes the focus', async () => {
    const tab = await suite.openTab()
    const { page } = tab
    const expectPage = async (heading: string, title = heading) => {
      await headingOf(page, heading).waitFor()
      await expect.poll(() => page.title()).toBe(`${title} – QScope`)
      await expect.poll(() => page.evaluate("document.activeElement.closest('h1')?.innerText")).toBe(heading)
    }
    expect(await page.title()).toBe('Sign in – QScope')
    await signIn(tab, suite.server, ['clients.write', 'trust.write'])
    await expectPage('Overview')
    for (const title of TITLES.slice(1)) {
      await visit(tab, title)
      await expectPage(title)
    }
    for (const [hash, heading, title] of others) {
      await page.evaluate(`location.hash = '#/${hash}'`)
      await expectPage(heading, title)
    }
    for (const [hash, heading, title] of others.filter(([, , each]) => /^Client|^Trusted/.test(each ?? ''))) {
      await page.evaluate(`location.hash = '#/${hash}'`)
      await page.getByRole('button', { name: 'Change', exact: true }).click()
      await expectPage(
        `Change ${heading}`,
        title?.replace(/^./, (first) => `Change ${first.toLowerCase()}`),
      )
      await page.getByRole('button', { name: 'Cancel' }).click()
      await expectPage(heading, title)
    }
    await page.getByRole('button', { name: 'Sign out' }).click()
    await expectPage('QScope console', 'Sign in')
  })

  // axe-core takes long: each page is seen once in each theme, and once in each width.
  it.each(['light', 'dark'] as const)('has nothing that axe-core finds wrong, in a %s theme', async (colorScheme) => {
    const tab = await suite.openTab({ colorScheme })
    const { page } = tab
    let isWide = colorScheme === 'light'
    const expectAccessible = async () => {
      await page.setViewportSize({ width: isWide ? 1_440 : 360, height: 800 })
      isWide = !isWide
      await page.getByText('Loading…').waitFor({ state: 'detached' })
      expect(await axeFindings(page)).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
    }
    await expectAccessible()
    await signIn(tab, suite.server, ['clients.write', 'users.write', 'trust.write', 'consent'])
    await page.getByRole('heading', { name: 'Findings' }).waitFor()
    await expectAccessible()
    for (const title of TITLES) {
      await visit(tab, title)
      await expectAccessible()
    }
    for (const [hash, heading] of others) {
      await page.evaluate(`location.hash = '#/${hash}'`)
      await headingOf(page, heading).waitFor()
      await expectAccessible()
    }
    await page.goto(`${suite.server.httpUrl}/console/#/clients/orders`)
    await page.getByRole('button', { name: 'Disable' }).click()
    await page.getByRole('dialog').waitFor()
    await expectAccessible()
    await page.keyboard.press('Escape')
    for (const [hash] of others.filter(([each]) => /^(clients|issuers)\//.test(each))) {
      await page.evaluate(`location.hash = '#/${hash}'`)
      await page.getByRole('button', { name: 'Change', exact: true }).click()
      await page.getByRole('heading', { name: 'Changes' }).waitFor()
      await expectAccessible()
    }
  })
})
