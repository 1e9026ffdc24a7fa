import { beforeAll, describe, expect, it } from 'vitest'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { TrustService } from '../../src/gen/qscope/v1/trust_service_pb.ts'
import { inSeconds, jwksOf, signed, signingPair } from '../setup/assertions.ts'
import { suiteFolder } from '../setup/certificates.ts'
import { SILENT, trustedIssuers } from '../setup/trusted-issuers.ts'
import { axeFindings } from './axe.ts'
import { CHROMIUM, consoleOfSuite, holdAnswers, signIn, visit } from './console.ts'

const issuers = await trustedIssuers(suiteFolder())
const pair = signingPair('ES256')
const BUILDS = 'https://builds.example'

describe.skipIf(CHROMIUM === null)('the trusted issuers of the console', () => {
  const suite = consoleOfSuite({ QSCOPE_TRUSTED_ISSUERS_FILE: issuers.file })
  beforeAll(async () => {
    const grantTypes = [GrantType.CLIENT_CREDENTIALS, GrantType.JWT_BEARER]
    await suite.server.registerClient({ clientId: 'deployer', scopes: ['stock.read', 'stock.write'], grantTypes })
  })
  const getIssuer = async (issuer: string) => {
    const { trustedIssuer } = await suite.server.call(TrustService.method.getTrustedIssuer, { issuer }, suite.asAdmin)
    return trustedIssuer
  }
  const assertionOf = (claims: Readonly<Record<string, unknown>> = {}) =>
    signed(pair, {
      iss: BUILDS,
      sub: 'job:deploy',
      aud: suite.server.issuer,
      iat: inSeconds(0),
      exp: inSeconds(300),
      ...claims,
    })

  it('creates an issuer that the server has judged while it was written, and tests its assertions', async () => {
    const tab = await suite.openTab()
    const { page } = tab
    await signIn(tab, suite.server, ['trust.write'])
    await visit(tab, 'Trusted issuers')
    await page.getByRole('link', { name: 'Create a trusted issuer', exact: true }).click()
    const fieldOf = (label: string) => page.locator('.field').filter({ has: page.getByLabel(label) })
    await page.getByLabel('Issuer', { exact: true }).fill('http://builds.example')
    await fieldOf('Keys come from').locator('.problem').waitFor()
    await page.getByLabel('Kind').selectOption('SPIFFE trust domain')
    await page.getByLabel('Trust domain').fill('No Domain')
    await fieldOf('Trust domain').locator('.problem').waitFor()
    await page.getByLabel('Kind').selectOption('JWT')
    await page.getByLabel('Issuer', { exact: true }).fill(BUILDS)
    await page.getByLabel('Keys come from').selectOption('a key set, given here')
    await page.getByLabel('Public keys').fill(jwksOf(pair))
    await page.getByText('The server accepts this issuer.').waitFor()
    await page.getByRole('button', { name: 'Add a rule' }).click()
    await fieldOf('For the client').locator('.problem').waitFor()
    await page.getByLabel('For the client').fill('deployer')
    await page.getByLabel('Scopes', { exact: true }).fill('stock.read')
    await page.getByText('needs claims, a condition or both').first().waitFor()
    await page.getByLabel('Claims that must hold').fill('sub = job')
    await fieldOf('Claims that must hold').locator('.problem').waitFor()
    await page.getByLabel('Claims that must hold').fill('{"sub": "job:*"}')
    await page.getByLabel('Condition').fill('claims.')
    await fieldOf('Condition').locator('.problem').waitFor()
    await page.getByLabel('Condition').fill('claims.env == "prod"')
    await page.getByText('The server accepts this issuer.').waitFor()
    expect(await axeFindings(page)).toEqual([])
    await expect(getIssuer(BUILDS)).rejects.toThrow()
    await page.getByRole('button', { name: 'Create', exact: true }).click()
    await page.getByRole('heading', { level: 1, name: BUILDS }).waitFor()
    await page.getByText('sub: job:*').waitFor()
    expect(await axeFindings(page)).toEqual([])
    const { token } = await suite.server.call(TokenService.method.exchangeAssertion, {
      assertion: await assertionOf({ env: 'prod' }),
    })
    expect(token?.scopes).toEqual(['stock.read'])

    await page.getByRole('link', { name: 'Test an assertion' }).click()
    await page.getByLabel('Assertion').fill(await assertionOf({ env: 'prod' }))
    await page.getByRole('button', { name: 'Test' }).click()
    await page.getByRole('heading', { name: 'The assertion is accepted' }).waitFor()
    const explanation = page.getByRole('region', { name: 'Explanation' })
    await explanation.getByRole('link', { name: 'deployer' }).waitFor()
    await page.getByLabel('Assertion').fill(await assertionOf({ env: 'test' }))
    await page.getByRole('button', { name: 'Test' }).click()
    await page.getByRole('heading', { name: 'The assertion is refused' }).waitFor()
    await explanation.getByText('How to fix it:').waitFor()
    expect(await axeFindings(page)).toEqual([])
  })

  it('changes an issuer by a difference, shows what somebody else changed, and deletes the version that was read', async () => {
    const issuer = 'https://changed.example'
    const trustedIssuer = { issuer, keys: { case: 'jwks', value: jwksOf(pair) } } as const
    await suite.server.call(TrustService.method.createTrustedIssuer, { trustedIssuer }, suite.asAdmin)
    const rename = async (displayName: string) => {
      const request = { trustedIssuer: { issuer, displayName }, updateMask: { paths: ['display_name'] } }
      await suite.server.call(TrustService.method.updateTrustedIssuer, request, suite.asAdmin)
    }
    const tab = await suite.openTab()
    const { page } = tab
    await signIn(tab, suite.server, ['trust.write'])
    await visit(tab, 'Trusted issuers')
    await page.getByRole('link', { name: issuer }).click()
    await page.getByRole('button', { name: 'Change', exact: true }).click()
    await page.getByLabel('Keys come from').selectOption('a URL')
    await page.getByLabel('URL of public keys').fill('http://changed.example/keys')
    await page.locator('.field', { hasText: 'URL of public keys' }).locator('.problem').waitFor()
    await page.getByLabel('URL of public keys').fill('https://changed.example/keys')
    await page.getByLabel('An assertion is accepted').selectOption('once')
    await page.locator('ins', { hasText: 'https://changed.example/keys' }).waitFor()
    await page.locator('del', { hasText: 'until it expires' }).waitFor()
    await rename('Renamed')
    await page.getByRole('button', { name: 'Save these changes' }).click()
    const conflict = page.getByRole('alert')
    await conflict.getByText('Renamed').waitFor()
    expect(await axeFindings(page)).toEqual([])
    await conflict.getByRole('button', { name: 'Apply my changes to that version' }).click()
    await page.getByRole('button', { name: 'Save these changes' }).click()
    await page.getByRole('button', { name: 'Change', exact: true }).waitFor()
    expect(await getIssuer(issuer)).toMatchObject({
      displayName: 'Renamed',
      keys: { case: 'jwksUri', value: 'https://changed.example/keys' },
      singleUse: true,
    })

    await page.getByText('Renamed', { exact: true }).waitFor()
    await rename('Renamed again')
    await page.getByRole('button', { name: 'Delete' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('Tokens that were issued for them live on').waitFor()
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await dialog.getByText('RESOURCE_CONFLICT').waitFor()
    expect(await axeFindings(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('Renamed again', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Delete' }).click()
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('heading', { level: 1, name: 'Trusted issuers' }).waitFor()
    await expect(getIssuer(issuer)).rejects.toThrow()
  })

  it('stays on the page to which somebody went while an issuer was created', async () => {
    const issuer = 'https://left.example'
    const tab = await suite.openTab()
    const { page } = tab
    await signIn(tab, suite.server, ['trust.write'])
    await visit(tab, 'Trusted issuers')
    await page.getByRole('link', { name: 'Create a trusted issuer', exact: true }).click()
    await page.getByLabel('Issuer', { exact: true }).fill(issuer)
    await page.getByText('The server accepts this issuer.').waitFor()
    const { answered, release } = await holdAnswers(page, /CreateTrustedIssuer$/)
    await page.getByRole('button', { name: 'Create', exact: true }).click()
    await answered
    expect((await getIssuer(issuer))?.issuer).toBe(issuer)
    await visit(tab, 'Clients')
    const [response] = await Promise.all([page.waitForResponse(/CreateTrustedIssuer$/), release()])
    await response.finished()
    await page.getByRole('link', { name: 'deployer', exact: true }).waitFor()
    expect(page.url()).toMatch(/#\/clients$/)
  })

  it('shows what a session that only reads may not do, and what stands in the file of the server', async () => {
    await suite.server.call(
      TrustService.method.createTrustedIssuer,
      { trustedIssuer: { issuer: 'https://read.example', keys: { case: 'discovery', value: true } } },
      suite.asAdmin,
    )
    const tab = await suite.openTab()
    const { page } = tab
    await signIn(tab, suite.server)
    await visit(tab, 'Trusted issuers')
    await page.getByRole('link', { name: 'Create a trusted issuer (not permitted)' }).click()
    await page.getByText('Your token does not permit this. You need qscope:trust.write.').waitFor()
    await visit(tab, 'Trusted issuers')
    await page.getByRole('link', { name: 'https://read.example' }).click()
    await page.getByRole('button', { name: /Change .*lacks qscope:trust\.write/ }).click({ force: true })
    await page.getByRole('button', { name: /Delete .*lacks qscope:trust\.write/ }).click({ force: true })
    expect(await page.getByRole('dialog').count()).toBe(0)
    expect(await page.getByLabel('Name').count()).toBe(0)
    await visit(tab, 'Trusted issuers')
    await page.getByRole('link', { name: SILENT }).click()
    await page.getByText('This issuer stands in the server’s file').waitFor()
    expect(await page.getByRole('button', { name: /Change|Delete/ }).count()).toBe(0)
    expect(await axeFindings(page)).toEqual([])

    await page.getByRole('button', { name: 'Sign out' }).click()
    const { client } = await suite.server.registerClient({ scopes: ['qscope:clients.read'] })
    await page.getByRole('button', { name: 'Sign in with a token instead' }).click()
    await page.getByLabel('Access token').fill(await suite.mint(client))
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await visit(tab, 'Trusted issuers')
    await page.getByText('Your token does not permit this. You need qscope:trust.read.').waitFor()
  })
})
