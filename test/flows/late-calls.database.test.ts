import { create, type DescMessage, type DescMethodUnary, type MessageInitShape } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { epochMs } from '../../src/domain/ids.ts'
import { ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { operatorCallInfo } from '../../src/rpc/call-info.ts'
import { givenGrants } from '../races/given.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'

const { exchangeAuthorizationCode, introspectToken, listTokens, mintToken } = TokenService.method
const { getClient, registerClient } = ClientService.method

onEveryBackend('a call whose deadline expires before it writes', (server) => {
  /** The result of a call whose deadline has expired. */
  const late = <I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ) =>
    server.app.pipeline.call(
      method,
      { ...operatorCallInfo('late'), deadline: epochMs(Date.now() - 1) },
      create(method.input, request),
    )

  it('writes nothing', async () => {
    const bearer = server.admin.token
    const { client, clientId } = await server.registerClient({})
    await expect(late(mintToken, { client })).rejects.toMatchObject({ kind: 'DEADLINE_EXCEEDED' })
    expect((await server.call(listTokens, { clientId }, { bearer })).tokens).toEqual([])

    const wanted = {
      clientId: server.unique('late-'),
      type: ClientType.CONFIDENTIAL,
      grantTypes: [GrantType.CLIENT_CREDENTIALS],
    }
    await expect(late(registerClient, wanted)).rejects.toMatchObject({ kind: 'DEADLINE_EXCEEDED' })
    const refused = await refusalOf(server.call(getClient, { clientId: wanted.clientId }, { bearer }))
    expect(refused.reason).toBe('RESOURCE_NOT_FOUND')
  })

  it('still revokes the tokens of a reused code', async () => {
    const given = givenGrants(server)
    const owner = await given.client()
    const redemption = await given.code(owner)
    const { token } = await server.call(exchangeAuthorizationCode, redemption)
    expect(await late(exchangeAuthorizationCode, redemption)).toMatchObject({ ok: false, code: 'oauth.invalid_grant' })
    const seen = await server.call(introspectToken, { client: owner.client, token: token?.accessToken ?? '' })
    expect(seen.active).toBe(false)
  })
})
