import { create } from '@bufbuild/protobuf'
import { anyPack, durationFromMs } from '@bufbuild/protobuf/wkt'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { StatusSchema } from '../../src/gen/google/rpc/status_pb.ts'
import { ClientAuthenticationSchema } from '../../src/gen/qscope/v1/client_authentication_pb.ts'
import { UpdateClientRequestSchema } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { BatchMintTokensResponseSchema, MintTokenRequestSchema } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { Redactor } from '../../src/rpc/redact.ts'

const secret = create(ClientAuthenticationSchema, {
  clientId: 'orders',
  method: { case: 'clientSecret', value: 'qcs_hidden' },
})

const redactor = new Redactor()

describe('a message in the log', () => {
  it('shows the set fields by proto name, without redacted ones', () => {
    const message = create(MintTokenRequestSchema, { client: secret, scopes: ['a'], lifetime: durationFromMs(1500) })
    expect(JSON.parse(JSON.stringify(redactor.redacted(MintTokenRequestSchema, message)))).toEqual({
      client: { client_id: 'orders', client_secret: '[redacted]' },
      scopes: ['a'],
      lifetime: '1.500s',
    })
  })

  it('redacts at any depth, and the content of an Any', () => {
    const message = create(BatchMintTokensResponseSchema, {
      results: [
        { result: { case: 'token', value: { accessToken: 'qat_hidden' } } },
        {
          result: {
            case: 'status',
            value: create(StatusSchema, { code: 3, details: [anyPack(ClientAuthenticationSchema, secret)] }),
          },
        },
      ],
    })
    const shown = JSON.stringify(redactor.redacted(BatchMintTokensResponseSchema, message))
    expect(shown).not.toContain('hidden')
    expect(shown).toContain('type.googleapis.com/qscope.v1.ClientAuthentication')
  })

  it('shows values that JSON cannot encode, because requests are logged before validation', () => {
    const lifetime = { seconds: 2n ** 62n, nanos: -1 }
    const message = create(MintTokenRequestSchema, { lifetime })
    expect(JSON.parse(JSON.stringify(redactor.redacted(MintTokenRequestSchema, message)))).toEqual({
      lifetime: { seconds: String(lifetime.seconds), nanos: -1 },
    })
    const paths = ['displayName', 'scopes', 'a__b']
    const update = create(UpdateClientRequestSchema, { updateMask: { paths } })
    expect(JSON.parse(JSON.stringify(redactor.redacted(UpdateClientRequestSchema, update)))).toEqual({
      update_mask: { paths },
    })
  })

  it('redacts a secret among the paths of a mask, and shortens a long one', () => {
    const paths = [`qcs_${'a'.repeat(49)}`, 'a'.repeat(10_000)]
    const update = create(UpdateClientRequestSchema, { updateMask: { paths } })
    const shown = JSON.stringify(redactor.redacted(UpdateClientRequestSchema, update))
    expect(shown).toContain('[redacted]')
    expect(shown).not.toContain('qcs_')
    expect(shown.length).toBeLessThan(3_000)
  })

  it('is not evaluated when its level is off', () => {
    const lines: string[] = []
    const message = create(MintTokenRequestSchema, { client: secret })
    const untouchable = new Proxy(message, {
      get: () => {
        throw new Error('looked at')
      },
    })
    const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
    log.debug({ request: redactor.redacted(MintTokenRequestSchema, untouchable) }, 'request')
    expect(lines).toEqual([])
    log.info({ request: redactor.redacted(MintTokenRequestSchema, message) }, 'request')
    expect(lines).toEqual([expect.stringContaining('[redacted]')])
  })
})
