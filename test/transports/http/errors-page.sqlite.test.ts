import { describe, expect, it, onTestFinished } from 'vitest'
import { ERROR_ADVICE } from '../../../src/errors/advice.ts'
import { type ErrorCode, registry } from '../../../src/errors/registry.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { anchorOf, reasonOf } from '../../../src/rpc/rpc-status.ts'
import { connect, refusalOf } from '../../setup/client.ts'
import { sqliteFiles } from '../../setup/fresh-database.ts'
import { startServer } from '../../setup/server.ts'
import { post } from './application.ts'

const { mintToken } = TokenService.method
const NOBODY = { clientId: 'nobody', method: { case: 'clientSecret' as const, value: 'x' } }

async function serverWith(variables: Readonly<Record<string, string>>) {
  const database = await sqliteFiles.createMigrated()
  const server = await startServer(database.url, undefined, undefined, variables)
  onTestFinished(async () => {
    await server.stop()
    await database.drop()
  })
  return server
}

const linkIn = (text: string) => /"url":"([^"]+)"/.exec(text)?.[1] ?? ''

describe('the Help link of a refusal', () => {
  it('leads to the section of the error on the page that the HTTP port serves, over gRPC and HTTP', async () => {
    const server = await serverWith({ QSCOPE_HTTP_LISTEN: '127.0.0.1:0' })
    const onGrpc = await refusalOf(server.call(mintToken, { client: NOBODY }))
    const onHttp = await post(server.httpUrl, 'TokenService/MintToken', { client: { clientId: 'nobody' } })
    const batch = await server.call(TokenService.method.batchMintTokens, {
      client: (await server.registerClient({ scopes: ['a'] })).client,
      requests: [{ scopes: ['b'] }],
    })
    const [result] = batch.results
    const ofItem = result?.result.case === 'status' ? server.decode(result.result.value).help : undefined
    const links = [onGrpc.details.help?.links[0]?.url ?? '', linkIn(onHttp.text), ofItem?.links[0]?.url ?? '']
    expect(links.map((link) => new URL(link).hash)).toEqual([
      '#oauth-invalid-client',
      '#oauth-invalid-client',
      '#oauth-invalid-scope',
    ])
    for (const link of links) {
      const answer = await fetch(link)
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
      expect(await answer.text()).toContain(`id="${new URL(link).hash.slice(1)}"`)
    }
  })

  it('leads to QSCOPE_ERROR_DOCS_URL if it is set', async () => {
    const server = await serverWith({
      QSCOPE_HTTP_LISTEN: '127.0.0.1:0',
      QSCOPE_ERROR_DOCS_URL: 'https://docs.example/errors',
    })
    const { details } = await refusalOf(server.call(mintToken, { client: NOBODY }))
    expect(details.help?.links[0]?.url).toBe('https://docs.example/errors#oauth-invalid-client')
  })

  it('leads to QSCOPE_HTTP_URL if it is set', async () => {
    const server = await serverWith({ QSCOPE_HTTP_LISTEN: '127.0.0.1:0', QSCOPE_HTTP_URL: 'https://q.example' })
    const { details } = await refusalOf(server.call(mintToken, { client: NOBODY }))
    expect(details.help?.links[0]?.url).toBe('https://q.example/docs/errors#oauth-invalid-client')
  })

  it('is omitted if no page of errors is served', async () => {
    const server = await serverWith({})
    const connection = connect(server.address)
    const refused = await refusalOf(connection.call(mintToken, { client: NOBODY }))
    connection.close()
    expect(refused.reason).toBe('OAUTH_INVALID_CLIENT')
    expect(refused.details.help).toBeUndefined()
  })
})

describe('the page of errors', () => {
  it('contains every error with its advice, and may be cached', async () => {
    const server = await serverWith({ QSCOPE_HTTP_LISTEN: '127.0.0.1:0' })
    const answer = await fetch(`${server.httpUrl}/docs/errors`)
    const text = await answer.text()
    for (const code of Object.keys(registry) as ErrorCode[]) {
      expect(text.split(`id="${anchorOf(code)}"`)).toHaveLength(2)
      expect(text).toContain(`href="#${anchorOf(code)}"`)
      expect(text).toContain(reasonOf(code))
      const [firstWords = ''] = /^[A-Za-z ]+/.exec(ERROR_ADVICE[code].advice) ?? []
      expect(text).toContain(firstWords)
    }
    expect(answer.headers.get('cache-control')).toBe('public, max-age=3600')
    // No Markdown is left.
    expect(text).not.toMatch(/`|\]\(/)
  })

  it('forbids scripts, forms, frames and external resources by Content-Security-Policy', async () => {
    const server = await serverWith({ QSCOPE_HTTP_LISTEN: '127.0.0.1:0' })
    const answer = await fetch(`${server.httpUrl}/docs/errors`)
    const policy = answer.headers.get('content-security-policy') ?? ''
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]+=*'; /)
    for (const each of ["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]) {
      expect(policy).toContain(each)
    }
    expect(await answer.text()).not.toMatch(/<script|<img|<link|<iframe|style=| on\w+=/i)
  })

  it('answers HEAD without content, and refuses POST', async () => {
    const server = await serverWith({ QSCOPE_HTTP_LISTEN: '127.0.0.1:0' })
    const head = await fetch(`${server.httpUrl}/docs/errors`, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    expect((await fetch(`${server.httpUrl}/docs/errors`, { method: 'POST' })).status).toBe(405)
  })
})
