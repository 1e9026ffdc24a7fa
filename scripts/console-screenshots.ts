/**
 * Takes a picture of each page in both themes and widths, from a server with a console: `node scripts/console-screenshots.ts <url> <folder>`,
 * with the secret of its client `admin` in ADMIN_SECRET, and in TOKEN an access token to inspect. Needs Debian's Chromium.
 */
import { join } from 'node:path'
import { chromium, type Page } from 'playwright-core'

const CHROMIUM = '/usr/bin/chromium'
const SIZES = [
  { name: 'wide', viewport: { width: 1_440, height: 900 } },
  { name: 'narrow', viewport: { width: 360, height: 740 } },
] as const
const THEMES = ['light', 'dark'] as const

const [url = 'http://127.0.0.1:8080', folder = '.'] = process.argv.slice(2)
const secret = process.env['ADMIN_SECRET'] ?? ''
const token = process.env['TOKEN'] ?? 'qat_0000000000000000000000000000000000000000000000000'
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
for (const { name, viewport } of SIZES) {
  for (const colorScheme of THEMES) {
    const context = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce' })
    const page = await context.newPage()
    await photograph(page, (what) => join(folder, `${what}-${name}-${colorScheme}.png`))
    await context.close()
  }
}
await browser.close()

async function photograph(page: Page, pathOf: (what: string) => string): Promise<void> {
  const take = async (what: string) => void (await page.screenshot({ path: pathOf(what) }))
  await page.goto(`${url}/console/`)
  await take('sign-in')
  await page.getByLabel('Client id').fill('admin')
  await page.getByLabel('Client secret').fill(secret)
  for (const name of ['clients.write', 'consent']) await page.getByRole('checkbox', { name }).check()
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.getByRole('heading', { name: 'Findings' }).waitFor()
  await take('overview')
  for (const [what, title] of [
    ['clients', 'Clients'],
    ['users', 'Users'],
    ['issuers', 'Trusted issuers'],
    ['tokens', 'Tokens and grants'],
    ['devices', 'Device approvals'],
    ['audit', 'Audit log'],
    ['keys', 'Signing keys'],
    ['inspector', 'Token inspector'],
  ] as const) {
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: title }).click()
    await page.getByRole('heading', { level: 1, name: title }).waitFor()
    await page.getByText('Loading…').waitFor({ state: 'detached' })
    if (what === 'inspector') await inspect(page)
    await take(what)
  }
  await page.goto(`${url}/console/#/clients/admin`)
  await page.getByRole('heading', { name: 'Secrets' }).waitFor()
  await take('client')
  await page.getByRole('button', { name: 'Change' }).click()
  await page.getByLabel('Name', { exact: true }).fill('Administration')
  await page.locator('ins').waitFor()
  await take('change')
}

/** The token lacks a required scope. */
async function inspect(page: Page): Promise<void> {
  await page.getByLabel('Token', { exact: true }).fill(token)
  await page.getByLabel('Required scopes').fill('ledger.close')
  await page.getByRole('button', { name: 'Inspect' }).click()
  await page.getByText('failed', { exact: true }).first().scrollIntoViewIfNeeded()
}
