import { expect, it } from 'vitest'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'

const { introspectToken, mintToken } = TokenService.method
const { disableClient, rotateClientSecret } = ClientService.method

onEveryBackend('minting beside client management', (server) => {
  it('continues while 200 clients are registered, rotated and disabled at once', async () => {
    const minter = await server.registerClient({})
    const bearer = server.admin.token
    let done = false
    let minted = 0
    const minting = Array.from({ length: 8 }, async () => {
      while (!done) {
        await server.call(mintToken, { client: minter.client })
        minted += 1
      }
    })

    await Promise.all(
      Array.from({ length: 200 }, async () => {
        const { client, clientId } = await server.registerClient({})
        const { token } = await server.call(mintToken, { client })
        const look = async () =>
          (await server.call(introspectToken, { client: minter.client, token: token?.accessToken ?? '' })).active
        const before = minted
        await server.call(rotateClientSecret, { clientId, overlap: { seconds: 60n } }, { bearer })
        expect(await look()).toBe(true)
        await server.call(disableClient, { clientId }, { bearer })
        // The very next calls: nothing is remembered anywhere.
        expect(await look()).toBe(false)
        expect((await refusalOf(server.call(mintToken, { client }))).reason).toBe('OAUTH_INVALID_CLIENT')
        expect(minted).toBeGreaterThanOrEqual(before)
      }),
    )
    done = true
    await Promise.all(minting)
    expect(minted).toBeGreaterThan(0)
    const disabled = await server.auditEvents({ eventTypes: ['client.disabled'] })
    expect(new Set(disabled.map(({ clientId }) => clientId)).size).toBe(200)
  })
})
