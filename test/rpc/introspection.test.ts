import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { RESERVED_CLAIMS } from '../../src/domain/reserved-claims.ts'
import { TokenUse } from '../../src/gen/qscope/v1/token_pb.ts'
import { IntrospectTokenResponseSchema } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { toIntrospection } from '../../src/rpc/convert/introspection.ts'

const CLAIMS = {
  tokenId: 'id',
  clientId: 'orders',
  subject: 'orders',
  scopes: ['read'],
  audiences: ['stock'],
  issuer: 'https://q.example',
  tokenUse: TokenUse.ACCESS,
  actor: { subject: 'gateway' },
  confirmation: { x5tS256: 'thumbprint' },
}
const introspectionOf = (extra: Record<string, string>) =>
  toIntrospection(create(IntrospectTokenResponseSchema, { active: true, claims: { ...CLAIMS, extra } }))

it('RFC 7662 §2.2: further claims are members of the answer', () => {
  expect(introspectionOf({ team: 'shop' })).toMatchObject({ team: 'shop', active: true, sub: 'orders' })
})

it('no further claim can have the name of a defined member', () => {
  const own = Object.keys(introspectionOf({}))
  expect(own.length).toBeGreaterThan(10)
  expect(own.filter((name) => !RESERVED_CLAIMS.has(name))).toEqual([])
  expect(introspectionOf(Object.fromEntries(own.map((name) => [name, 'forged'])))).toEqual(introspectionOf({}))
})
