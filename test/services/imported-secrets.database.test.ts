import { expect, it } from 'vitest'
import { AuthenticationMethod, ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'

/** Made by libxcrypt and by Python's hashlib. */
const BCRYPT = Object.freeze({
  secret: 'hydra-old-secret-1',
  hash: '$2b$10$abcdefghijklmnopqrstuuQ.BATMQVqU1dBOlzcnzdIpId2LdmP5S',
})
const SLOW = Object.freeze({
  secret: 'slow-secret',
  hash: '$2b$12$abcdefghijklmnopqrstuuYS6.zrse7z7/rYaBI5UCEGzEfxQI4OO',
})
const PBKDF2 = Object.freeze({
  secret: 'hydra-old-secret-2',
  hash: '$pbkdf2-sha256$i=25000,l=32$AAECAwQFBgcICQoLDA0ODw$brviVVQ/iLrGfIhPIrPpNm7JkXkp8PLGW5bJb8hDdLs',
})
const DAYS_MS = 86_400_000

const { registerClient, listClientSecrets, rotateClientSecret } = ClientService.method
const { mintToken, getJsonWebKeySet } = TokenService.method

onEveryBackend('secrets that another server hashed', (server) => {
  const admin = () => ({ bearer: server.admin.token })
  const register = async (...importedSecretHashes: string[]) => {
    const clientId = server.unique('imported-')
    const { clientSecret } = await server.call(
      registerClient,
      {
        ...{ clientId, importedSecretHashes, scopes: ['read'] },
        type: ClientType.CONFIDENTIAL,
        grantTypes: [GrantType.CLIENT_CREDENTIALS],
      },
      admin(),
    )
    expect(clientSecret).toBe('')
    return clientId
  }
  const mint = (clientId: string, value: string) =>
    server.call(mintToken, { client: { clientId, method: { case: 'clientSecret', value } } })
  const secretsOf = async (clientId: string) => (await server.call(listClientSecrets, { clientId }, admin())).secrets

  it.each([BCRYPT, PBKDF2])(
    'authenticate their client, and are rehashed at the first use: %o',
    async ({ secret, hash }) => {
      const clientId = await register(hash)
      expect(await refusalOf(mint(clientId, 'wrong'))).toMatchObject({ reason: 'OAUTH_INVALID_CLIENT' })
      expect(await secretsOf(clientId)).toMatchObject([{ imported: true, expireTime: expect.anything() }])
      expect((await mint(clientId, secret)).token?.scopes).toEqual(['read'])
      const [rehashed] = await secretsOf(clientId)
      expect(rehashed).toMatchObject({ imported: false })
      expect(rehashed?.expireTime).toBeUndefined()
      expect((await mint(clientId, secret)).token?.scopes).toEqual(['read'])
      expect(await refusalOf(mint(clientId, 'wrong'))).toMatchObject({ reason: 'OAUTH_INVALID_CLIENT' })
      expect(JSON.stringify(server.lines)).not.toContain(hash)
    },
  )

  it('work in concurrent calls, for each of several secrets', async () => {
    const clientId = await register(BCRYPT.hash, PBKDF2.hash)
    const minted = await Promise.all(Array.from({ length: 20 }, () => mint(clientId, PBKDF2.secret)))
    expect(minted.every(({ token }) => token?.accessToken !== '')).toBe(true)
    expect((await secretsOf(clientId)).map(({ imported }) => imported).toSorted()).toEqual([false, true])
    expect((await mint(clientId, BCRYPT.secret)).token?.accessToken).not.toBe('')
  })

  it('are verified while other calls are answered', async () => {
    const clientId = await register(SLOW.hash)
    const order: string[] = []
    const slow = mint(clientId, SLOW.secret).then(() => order.push('verified'))
    await server.call(getJsonWebKeySet, {}).then(() => order.push('answered'))
    await slow
    expect(order).toEqual(['answered', 'verified'])
  })

  it('end with a rotation', async () => {
    const clientId = await register(PBKDF2.hash)
    await server.call(rotateClientSecret, { clientId }, admin())
    expect(await refusalOf(mint(clientId, PBKDF2.secret))).toMatchObject({ reason: 'OAUTH_INVALID_CLIENT' })
  })

  it.each([
    ['an algorithm that is not known', '$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA', AuthenticationMethod.CLIENT_SECRET],
    ['a cost beyond the cap', BCRYPT.hash.replace('$10$', '$13$'), AuthenticationMethod.CLIENT_SECRET],
    ['a client that has no secrets', BCRYPT.hash, AuthenticationMethod.TLS_CLIENT],
  ])('are refused at registration: %s', async (_what, hash, authenticationMethod) => {
    const request = {
      ...{ importedSecretHashes: [hash], authenticationMethod },
      type: ClientType.CONFIDENTIAL,
      tlsClientSubject: authenticationMethod === AuthenticationMethod.TLS_CLIENT ? 'dns:a.example' : '',
    }
    const refusal = await refusalOf(server.call(registerClient, request, admin()))
    expect(refusal).toMatchObject({ reason: 'REGISTRATION_INVALID_CLIENT_METADATA' })
    expect(refusal.violations).toEqual(['imported_secret_hashes[0]'])
  })

  it('cost little for guesses, without an effect on others', async () => {
    const [guessed, other] = [await register(BCRYPT.hash), await register(PBKDF2.hash)]
    const { client } = await server.registerClient({})
    const reasons: (string | null)[] = []
    while (reasons.length < 40 && reasons.at(-1) !== 'LIMIT_EXCEEDED') {
      const { reason } = await refusalOf(mint(guessed, `guess ${reasons.length}`))
      reasons.push(reason)
    }
    // What is verified fast may be guessed a hundred times.
    expect(reasons.at(-1)).toBe('LIMIT_EXCEEDED')
    expect(new Set(reasons.slice(0, -1))).toEqual(new Set(['OAUTH_INVALID_CLIENT']))
    expect((await mint(other, PBKDF2.secret)).token?.accessToken).not.toBe('')
    expect((await server.call(mintToken, { client })).token?.accessToken).not.toBe('')
  })

  // The clock stays ahead for the tests that follow.
  it('end after 90 days without a use', async () => {
    const [unused, used] = [await register(PBKDF2.hash), await register(PBKDF2.hash)]
    await mint(used, PBKDF2.secret)
    server.clock.advance(91 * DAYS_MS)
    expect(await refusalOf(mint(unused, PBKDF2.secret))).toMatchObject({ reason: 'OAUTH_INVALID_CLIENT' })
    expect((await mint(used, PBKDF2.secret)).token?.accessToken).not.toBe('')
  })
})
