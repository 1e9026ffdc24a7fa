import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { certificateAuthority, LOCAL_NAMES, suiteFolder } from '../setup/certificates.ts'
import { GRPCURL, hasGrpcurl } from '../setup/grpcurl.ts'
import { qscope, run, temporaryDirectory } from './process.ts'

const BUF = resolve(import.meta.dirname, '..', '..', 'node_modules', '.bin', 'buf')
const MINT = 'qscope.v1.TokenService/MintToken'
const execute = promisify(execFile)

const folder = suiteFolder()
const ca = certificateAuthority(folder, 'ca')
const serving = ca.issue('server', LOCAL_NAMES)
const orders = ca.issue('orders', ['URI:spiffe://shop/orders'])
const TLS = {
  QSCOPE_GRPC_LISTEN: '127.0.0.1:0',
  QSCOPE_TLS_CERT_FILE: serving.certFile,
  QSCOPE_TLS_KEY_FILE: serving.keyFile,
  QSCOPE_TLS_CLIENT_CA_FILE: ca.certFile,
}

async function started(env: Record<string, string> = TLS) {
  const directory = await temporaryDirectory()
  const server = qscope(directory, ['serve'], env)
  const [, address = ''] = await server.until(/listens on (\S+)/)
  const secret = /client secret {2}(\S+)/.exec(server.stdout)?.[1] ?? ''
  const asAdmin = ['--server', address, '--client-id', 'admin', '--client-secret', secret]
  return { directory, server, address, secret, asAdmin }
}

describe('a server with TLS', () => {
  it('prints an https issuer, and calls that work unchanged', async () => {
    const { server, address, secret } = await started()
    expect(server.stdout).toMatch(/\(gRPC, TLS\); issuer https:\/\/127\.0\.0\.1/)
    const printed = server.stdout.split('\n').find((line) => line.includes('buf curl')) ?? ''
    expect(printed).toContain('--cacert ca.pem')
    const client = JSON.stringify({ client: { clientId: 'admin', clientSecret: secret } })
    const curl = ['curl', '--protocol', 'grpc', '--cacert', ca.certFile, '-d', client, `https://${address}/${MINT}`]
    const { stdout } = await execute(BUF, curl)
    expect(JSON.parse(stdout).token.accessToken).toMatch(/^qat_/)
  })

  it('accepts the command line with its CA, and not without', async () => {
    const { directory, asAdmin } = await started()
    const listed = await run(directory, ['client', 'list', '--json', '--ca-file', ca.certFile, ...asAdmin])
    expect(JSON.parse(listed.stdout).clients).toHaveLength(1)
    expect((await run(directory, ['client', 'list', ...asAdmin])).code).toBe(1)
    expect((await run(directory, ['client', 'list', '--tls', ...asAdmin])).code).toBe(1)
  })

  it.skipIf(!hasGrpcurl)('authenticates a client of grpcurl by its certificate, and binds the token', async () => {
    const { directory, address, asAdmin, secret } = await started()
    const how = ['--authentication-method', 'tls_client', '--tls-client-subject', 'uri:spiffe://shop/orders']
    const register = ['client', 'create', '--id', 'orders', '--grant', 'client_credentials', ...how]
    const registered = await run(directory, [...register, '--ca-file', ca.certFile, ...asAdmin])
    expect([registered.code, registered.stderr]).toEqual([0, expect.anything()])
    const call = async (method: string, request: object, ...options: string[]) => {
      const common = ['-cacert', ca.certFile, ...options, '-d', JSON.stringify(request), address, method]
      return JSON.parse((await execute(GRPCURL, common)).stdout)
    }
    const shown = ['-cert', orders.certFile, '-key', orders.keyFile]
    const mint = { client: { clientId: 'orders' } }
    const { token } = await call(MINT, mint, ...shown)
    const admin = { clientId: 'admin', clientSecret: secret }
    const introspect = { client: admin, token: token.accessToken }
    const { claims } = await call('qscope.v1.TokenService/IntrospectToken', introspect)
    expect(claims.confirmation.x5tS256).toBe(orders.thumbprint)
    await expect(call(MINT, mint)).rejects.toThrow(/Unauthenticated/)
  })
})

describe('beyond loopback', () => {
  it('plaintext is refused', async () => {
    const directory = await temporaryDirectory()
    const refused = await run(directory, ['serve'], { QSCOPE_GRPC_LISTEN: '0.0.0.0:0' })
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('QSCOPE_TLS_CERT_FILE')
  })

  it('TLS is accepted', async () => {
    const { address, asAdmin, directory } = await started({
      ...TLS,
      QSCOPE_GRPC_LISTEN: '0.0.0.0:0',
    })
    const local = ['--server', address.replace('0.0.0.0', '127.0.0.1'), ...asAdmin.slice(2)]
    // Without an admin client, since others may listen: only the handshake is tested.
    const refused = await run(directory, ['client', 'list', '--ca-file', ca.certFile, ...local])
    expect(refused.stderr).not.toContain('no server answers')
  })
})

describe('TLS files that cannot be used', () => {
  it.each([
    ['a key of another certificate', { QSCOPE_TLS_KEY_FILE: orders.keyFile }, /not the key of the certificate/],
    ['a missing file', { QSCOPE_TLS_CERT_FILE: '/nowhere.pem' }, /QSCOPE_TLS_CERT_FILE: \/nowhere.pem/],
    ['a key instead of a certificate', { QSCOPE_TLS_CLIENT_CA_FILE: orders.keyFile }, /not a certificate in PEM/],
  ])('(%s) prevent the start with one line, before a secret is generated', async (_what, wrong, message) => {
    const directory = await temporaryDirectory()
    const refused = await run(directory, ['serve'], { ...TLS, ...wrong })
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(message)
    expect(refused.stdout).toBe('')
  })
})
