import { create, type DescMessage, type Message } from '@bufbuild/protobuf'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { epochMs } from '../../src/domain/ids.ts'
import { BatchMintTokensRequestSchema, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { success } from '../../src/results.ts'
import { Pipeline } from '../../src/rpc/pipeline.ts'
import { RequestValidator } from '../../src/rpc/request-validator.ts'
import { call, detailsOf, openHarness, tokenRoutes } from '../transports/grpc/harness.ts'

const { authorizer, goodSecret, startServer } = await openHarness()

const { batchMintTokens } = TokenService.method

/** A server that notes what it validates, and a request with a thousand things that are wrong. */
async function noting() {
  const validated: string[] = []
  const routes = tokenRoutes({ batchMintTokens: async () => success({}) })
  class NotingValidator extends RequestValidator {
    override validate(schema: DescMessage, message: Message) {
      validated.push(schema.name)
      return super.validate(schema, message)
    }
  }
  const pipeline = new Pipeline({
    routes,
    authorizer,
    log: pino({ level: 'silent' }),
    now: () => epochMs(Date.now()),
    isDraining: () => false,
    validator: new NotingValidator(),
  })
  return { ...(await startServer(routes, { pipeline })), validated }
}

const requests = Array.from({ length: 10 }, () => ({ scopes: Array.from({ length: 100 }, () => 'x'.repeat(129)) }))
const clientWith = (secret: string) => ({
  clientId: 'orders',
  method: { case: 'clientSecret' as const, value: secret },
})

describe('validation', () => {
  it('describes the first sixteen of thousands of violations', () => {
    const scopes = Array.from({ length: 200 }, (_, at) => (at < 100 ? 'good' : 'x'.repeat(129)))
    const message = create(BatchMintTokensRequestSchema, {
      requests: Array.from({ length: 100 }, () => ({ scopes: [...scopes] })),
    })
    const violations = new RequestValidator().validate(BatchMintTokensRequestSchema, message)
    expect(violations.map(({ field }) => field)).toEqual(
      Array.from({ length: 16 }, (_, at) => `requests[0].scopes[${100 + at}]`),
    )
  })

  it('counts characters, not UTF-16 code units', () => {
    const scopes = Array.from({ length: 200 }, () => '\u{1f600}'.repeat(128))
    const message = create(BatchMintTokensRequestSchema, { requests: [{ scopes }] })
    expect(new RequestValidator().validate(BatchMintTokensRequestSchema, message)).toEqual([])
    expect(message.requests[0]?.scopes).toHaveLength(200)
  })

  it('of a request without credentials does not run', async () => {
    const { client, validated } = await noting()
    const { error } = await call(client, batchMintTokens, { requests })
    expect(detailsOf(error)?.info?.reason).toBe('OAUTH_INVALID_CLIENT')
    expect(validated).toEqual([])
  })

  it("of a client's request covers the credentials first, and the rest after authentication", async () => {
    const { client, validated } = await noting()
    const impostor = await call(client, batchMintTokens, { client: clientWith('wrong'), requests })
    expect(detailsOf(impostor.error)?.info?.reason).toBe('OAUTH_INVALID_CLIENT')
    expect(validated.splice(0)).toEqual(['ClientAuthentication'])
    const proved = await call(client, batchMintTokens, { client: clientWith(goodSecret), requests })
    expect(detailsOf(proved.error)?.violations).toHaveLength(16)
    expect(validated).toEqual(['ClientAuthentication', 'BatchMintTokensRequest'])
  })
})
