import { beforeAll, describe, expect, it } from 'vitest'
import { axeFindings } from './axe.ts'
import { CHROMIUM, consoleOfSuite, signIn, TITLES, visit } from './console.ts'

const MARKUP = '<img src=x onerror="document.title=1"><script>document.title=2</script>'

describe.skipIf(CHROMIUM === null)('every page of the console', () => {
  const suite = consoleOfSuite()
  beforeAll(async () => {
    await suite.server.registerClient({ clientId: 'orders', displayName: MARKUP, scopes: ['stock.read'] })
  })

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
        'script-src-attr inline',
        'connect-src https://elsewhere.example/',
      ])
    // The end of the test expects none but these.
    tab.violations.length = 0
    tab.complaints.length = 0
  })

  it.each([
    ['light', 1_440],
    ['dark', 360],
  ] as const)('has nothing that axe-core finds wrong, %s and %d pixels wide', async (colorScheme, width) => {
    const tab = await suite.openTab({ colorScheme, viewport: { width, height: 800 } })
    const { page } = tab
    expect(await axeFindings(page)).toEqual([])
    await signIn(tab, suite.server, ['clients.write', 'consent'])
    await page.getByRole('heading', { name: 'Findings' }).waitFor()
    expect(await axeFindings(page)).toEqual([])
    for (const title of TITLES) {
      await visit(tab, title)
      await page.getByText('Loading…').waitFor({ state: 'detached' })
      expect(await axeFindings(page)).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
    }
    await page.goto(`${suite.server.httpUrl}/console/#/clients/orders`)
    await page.getByRole('button', { name: 'Disable' }).click()
    await page.getByRole('dialog').waitFor()
    expect(await axeFindings(page)).toEqual([])
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Change', exact: true }).click()
    await page.getByRole('heading', { name: 'Changes' }).waitFor()
    expect(await axeFindings(page)).toEqual([])
  })
})
