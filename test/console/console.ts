import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { installed } from '../setup/installed.ts'
import { missing } from '../setup/requirement.ts'
import { startServer, type TestServer } from '../setup/server.ts'

/** On a machine with much to do. */
const PATIENCE_MS = 60_000

/** Debian's Chromium; `null`: there is none. */
export const CHROMIUM = installed('chromium')
if (CHROMIUM === null) missing('chromium', 'the console in a browser', 'there is no chromium on the path')

async function openBrowser(): Promise<Browser> {
  if (CHROMIUM === null) throw new Error('there is no chromium')
  // Root has no sandbox, and a container little shared memory.
  return await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}

/** A server with the console that was built last, on a database of its own. */
async function startWithConsole(variables: Readonly<Record<string, string>>) {
  const database = await sqliteFiles.createMigrated()
  const server = await startServer(database.url, undefined, undefined, {
    QSCOPE_HTTP_LISTEN: '127.0.0.1:0',
    QSCOPE_CONSOLE: 'on',
    QSCOPE_DEVICE_VERIFICATION_URI: 'https://auth.example/console/device',
    ...variables,
  })
  const close = async () => {
    await server.stop()
    await database.drop()
  }
  return { ...server, database, close }
}

/** The pages, as they are offered. */
export const TITLES = [
  'Overview',
  'Clients',
  'Users',
  'Trusted issuers',
  'Tokens and grants',
  'Token inspector',
  'Device approvals',
  'Audit log',
  'Signing keys',
] as const

/** What the page may request: its own files, and methods of the contract. */
const PERMITTED_REQUEST = /^\/(console\/|qscope\.v1\.[A-Z]\w+Service\/[A-Z]\w+$)/

/** Reports what the content security policy refuses, by the name that the test gave its function. */
const POLICY_LISTENER = `addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
  reportViolation(effectiveDirective + ' ' + blockedURI))`

/** A page in a browser of its own, as far as storage goes, and what went over the network. */
export interface Tab {
  readonly page: Page
  /** Every request that the page made: its path, and what stands before it where that is not the server. */
  readonly requests: string[]
  /** What the policy refused: the directive and what it blocked. The end of the test expects nothing here. */
  readonly violations: string[]
  /** The errors that the page reported. The end of the test expects nothing here. */
  readonly complaints: string[]
}

/** A server with a console and a browser, for all tests of a suite. `variables`: further ones of the server. */
export function consoleOfSuite(variables: Readonly<Record<string, string>> = {}) {
  let opened: { readonly server: Awaited<ReturnType<typeof startWithConsole>>; readonly browser: Browser } | null = null
  const suite = () => {
    if (opened === null) throw new Error('the server is started before the first test')
    return opened
  }
  beforeAll(async () => {
    opened = { server: await startWithConsole(variables), browser: await openBrowser() }
  })
  afterAll(async () => {
    await opened?.browser.close()
    await opened?.server.close()
  })
  return {
    get server(): TestServer {
      return suite().server
    },
    /** Runs SQL on the server's database. */
    query: (sql: string) => suite().server.database.query(sql),
    /** With the token of the administrator. */
    get asAdmin() {
      return { bearer: suite().server.admin.token }
    },
    /** `initScript` runs before each page's own scripts. */
    openTab: (options: BrowserContextOptions = {}, initScript = '') =>
      openTab(suite().browser, suite().server, options, initScript),
    mint: async (client = suite().server.admin.client) => {
      const { token } = await suite().server.call(TokenService.method.mintToken, { client })
      return token?.accessToken ?? ''
    },
  }
}

async function openTab(
  browser: Browser,
  server: TestServer,
  options: BrowserContextOptions,
  initScript: string,
): Promise<Tab> {
  const context = await browser.newContext({ viewport: { width: 1_440, height: 900 }, ...options })
  onTestFinished(() => context.close())
  context.setDefaultTimeout(PATIENCE_MS)
  const requests: string[] = []
  const violations: string[] = []
  const complaints: string[] = []
  context.on('request', (request) => requests.push(request.url().replace(server.httpUrl, '')))
  await context.exposeFunction('reportViolation', (violation: string) => void violations.push(violation))
  await context.addInitScript(POLICY_LISTENER)
  await context.addInitScript(initScript)
  const page = await context.newPage()
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    // The browser says so of each refused call, too.
    const isRefusedCall = /Failed to load resource/.test(message.text())
    if (message.type() === 'error' && !isRefusedCall) complaints.push(message.text())
  })
  await page.goto(`${server.httpUrl}/console/`)
  // Runs before the context is closed, which is registered above.
  onTestFinished(async () => {
    // Whatever the page has reported before this answer has arrived, too.
    await page.evaluate('0')
    const forbidden = requests.filter((request) => !PERMITTED_REQUEST.test(request))
    expect({ forbidden, violations, complaints }).toEqual({ forbidden: [], violations: [], complaints: [] })
  })
  return { page, requests, violations, complaints }
}

/** Signs in as the administrator, with these permissions; with those that only read if not given. */
export async function signIn({ page }: Tab, server: TestServer, more: readonly string[] = []): Promise<void> {
  await page.getByLabel('Client id').fill(server.admin.clientId)
  await page.getByLabel('Client secret').fill(server.admin.clientSecret)
  for (const permission of more) await page.getByRole('checkbox', { name: permission }).check()
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.getByRole('button', { name: 'Sign out' }).waitFor()
}

/** Goes to a page by its link. */
export async function visit({ page }: Tab, title: string): Promise<void> {
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: title }).click()
  await page.getByRole('heading', { level: 1, name: title }).waitFor()
}

/** Keeps the answers to a method from the page until they are let go. */
export async function holdAnswers(page: Page, method: RegExp) {
  const answered = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  await page.route(method, async (route) => {
    const response = await route.fetch()
    answered.resolve()
    await held.promise
    await route.fulfill({ response })
  })
  return { answered: answered.promise, release: () => held.resolve() }
}

/** Keeps calls of a method on their way to the server until they are let go. */
export async function holdCalls(page: Page, method: RegExp): Promise<() => void> {
  const held = Promise.withResolvers<void>()
  await page.route(method, async (route) => {
    await held.promise
    // The page may have given the call up meanwhile.
    await route.continue().catch(() => undefined)
  })
  return () => held.resolve()
}
