import { describe, expect, it } from 'vitest'
import { success } from '../../../src/results.ts'
import { openHarness, tokenRoutes } from '../grpc/harness.ts'
import { post } from './application.ts'
import { startHttp } from './harness.ts'

const harness = await openHarness()

const MINT = 'TokenService/MintToken'
const routes = tokenRoutes({ mintToken: async () => success({}) })
const page = 'https://console.example.com'

function preflight(url: string, origin: string) {
  const headers = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,content-type,x-grpc-web',
  }
  return fetch(`${url}/qscope.v1.${MINT}`, { method: 'OPTIONS', headers })
}

describe('a web page', () => {
  it('of an allowed origin may call, and may read the ray id', async () => {
    const { url } = await startHttp(harness, routes, { allowedOrigins: [page] })
    const asked = await preflight(url, page)
    expect(asked.status).toBe(204)
    expect(asked.headers.get('access-control-allow-origin')).toBe(page)
    const allowed = asked.headers.get('access-control-allow-headers')?.toLowerCase().split(',')
    expect(allowed).toEqual(expect.arrayContaining(['authorization', 'content-type', 'x-grpc-web', 'x-ray-id']))
    const { headers } = await post(url, MINT, {}, { origin: page })
    expect(headers.get('access-control-allow-origin')).toBe(page)
    expect(headers.get('access-control-expose-headers')?.toLowerCase().split(',')).toContain('x-ray-id')
    expect(headers.get('vary')).toBe('Origin')
    expect(headers.get('access-control-allow-credentials')).toBe(null)
  })

  it.each(['https://console.example.com.evil.example', 'http://console.example.com', 'null', '*'])(
    'of %s is not allowed to call',
    async (origin) => {
      const { url } = await startHttp(harness, routes, { allowedOrigins: [page] })
      expect((await preflight(url, origin)).headers.get('access-control-allow-origin')).toBe(null)
      expect((await post(url, MINT, {}, { origin })).headers.get('access-control-allow-origin')).toBe(null)
    },
  )

  it('gets no CORS headers if no origin is allowed', async () => {
    const { url } = await startHttp(harness, routes)
    const asked = await preflight(url, page)
    expect(asked.status).toBe(405)
    expect([...asked.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
  })
})
