import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { Server, ServerCredentials, type sendUnaryData, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { certificateAuthority, LOCAL_NAMES, suiteFolder } from '../setup/certificates.ts'
import { freePort } from '../setup/free-port.ts'
import { grpcPortOf } from '../setup/grpc-servers.ts'
import { emptyFolder, qscope } from './process.ts'

const TIMEOUT = 60_000
const folder = suiteFolder()
const ca = certificateAuthority(folder, 'ca')
const otherCa = certificateAuthority(folder, 'other-ca')
const good = ca.issue('good', LOCAL_NAMES)
const elsewhere = ca.issue('elsewhere', ['DNS:elsewhere.example'])
const caller = ca.issue('caller', ['DNS:caller'])
const stranger = otherCa.issue('stranger', ['DNS:stranger'])

/** A certificate of the CA that is expired when it is issued. */
function expired() {
  const path = (end: string) => join(folder, `good.${end}`)
  const out = join(folder, 'expired.pem')
  const issuer = ['-CA', ca.certFile, '-CAkey', ca.keyFile, '-days', '0', '-copy_extensions', 'copy']
  execFileSync('openssl', ['x509', '-req', '-in', path('csr'), ...issuer, '-out', out], { stdio: 'pipe' })
  return { cert: readFileSync(out), key: good.key }
}

const servers: Server[] = []
async function listening(credentials: ServerCredentials): Promise<string> {
  const server = new Server()
  servers.push(server)
  const port = await grpcPortOf(server, credentials)
  return `127.0.0.1:${port}`
}

const over = ({ cert, key }: { cert: Buffer; key: Buffer }, clients: Buffer | null = null) =>
  listening(ServerCredentials.createSsl(clients, [{ cert_chain: cert, private_key: key }], clients !== null))

describe('a failed call reports the reason and the remedy', () => {
  const at: Record<string, string> = {}
  const silent = createTcpServer((socket) => socket.on('error', () => undefined).end('220 mail.example ESMTP\r\n'))

  beforeAll(async () => {
    at['plaintext'] = await listening(ServerCredentials.createInsecure())
    at['tls'] = await over(good)
    at['wrong name'] = await over(elsewhere)
    at['expired'] = await over(expired())
    at['mutual'] = await over(good, ca.cert)
    at['nothing'] = `127.0.0.1:${await freePort()}`
    at['unknown host'] = 'qscope.invalid:50051'
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const address = silent.address()
    at['no gRPC'] = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  }, TIMEOUT)
  afterAll(() => {
    for (const server of servers) server.forceShutdown()
    silent.close()
  })

  const trusting = ['--ca-file', ca.certFile]
  const showing = ({ certFile, keyFile }: typeof good) => ['--cert-file', certFile, '--key-file', keyFile]
  const commands = [['health'], ['client', 'list', '--client-id', 'a', '--client-secret', 'b']]

  test.each<[string, string[], RegExp]>([
    ['tls', [], /expects TLS, but was called in plaintext: give --tls, or --ca-file/],
    ['plaintext', trusting, /expects plaintext, but was called over TLS: omit --tls/],
    ['tls', ['--tls'], /not issued by a trusted CA \(.+\): give --ca-file/],
    ['tls', ['--ca-file', otherCa.certFile], /not issued by a trusted CA/],
    ['wrong name', trusting, /is for DNS:elsewhere\.example, not for 127\.0\.0\.1: call the server by a name/],
    ['expired', trusting, /expired on .*: renew it/],
    ['mutual', trusting, /requires a client certificate: give --cert-file and --key-file/],
    ['mutual', [...trusting, ...showing(stranger)], /refuses the client certificate \(.+\)/],
    ['nothing', [], /no server listens at [^ ]+: check the port, or start the server/],
    ['unknown host', ['--plaintext'], /the host qscope\.invalid cannot be resolved \(E\w+\): check the name/],
    ['unknown host', ['--tls'], /the host qscope\.invalid cannot be resolved/],
    ['no gRPC', [], /does not speak gRPC: check the port/],
  ])(
    '%s, with %j',
    async (server, options, sentence) => {
      for (const command of commands) {
        const args = [...command, '--server', at[server] ?? '', ...options]
        const { code, stdout, stderr } = await qscope(emptyFolder(), args)
        expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
        expect(stderr).toMatch(sentence)
        expect(stderr).toMatch(/^qscope: .+\n$/)
      }
    },
    TIMEOUT,
  )

  test(
    'with the right certificates the server answers',
    async () => {
      const args = ['health', '--server', at['mutual'] ?? '', ...trusting, ...showing(caller)]
      expect((await qscope(emptyFolder(), args)).stderr).toMatch(/refuses the health check: .*does not implement/)
    },
    TIMEOUT,
  )

  test(
    'the doctor, and health without --server, report a server that differs from its variables',
    async () => {
      const tls = { QSCOPE_TLS_CERT_FILE: good.certFile, QSCOPE_TLS_KEY_FILE: good.keyFile }
      const here = (server: string) => ({ QSCOPE_GRPC_LISTEN: at[server] ?? '' })
      const plain = await qscope(emptyFolder(), ['health'], here('tls'))
      expect(plain.stderr).toMatch(/expects TLS.*set QSCOPE_TLS_CERT_FILE/)
      const secured = await qscope(emptyFolder(), ['health'], { ...here('plaintext'), ...tls })
      expect(secured.stderr).toMatch(/expects plaintext.*start it again with QSCOPE_TLS_CERT_FILE/)
      const { stdout } = await qscope(emptyFolder(), ['doctor', '--json'], { ...here('plaintext'), ...tls })
      expect(JSON.parse(stdout).findings).toContainEqual(
        expect.objectContaining({
          check: 'listener',
          state: 'warning',
          finding: expect.stringContaining('expects plaintext'),
        }),
      )
    },
    TIMEOUT,
  )
})

test(
  'a call that ends at its deadline names the server and the likely cause',
  async () => {
    const address = await listening(ServerCredentials.createInsecure())
    const bytes = (value: Buffer) => value
    const late = (_call: unknown, answer: sendUnaryData<Buffer>) =>
      answer({ code: status.DEADLINE_EXCEEDED, details: 'Deadline exceeded after 30.002s' })
    servers.at(-1)?.addService(
      {
        mintToken: {
          path: '/qscope.v1.TokenService/MintToken',
          requestStream: false,
          responseStream: false,
          requestSerialize: bytes,
          requestDeserialize: bytes,
          responseSerialize: bytes,
          responseDeserialize: bytes,
        },
      },
      { mintToken: late },
    )
    const { code, stderr } = await qscope(emptyFolder(), [
      ...'token mint --client-id a --client-secret b --server'.split(' '),
      address,
    ])
    expect(code).toBe(1)
    expect(stderr).toContain(`the server at ${address} did not answer within 30 s: it or its database is slow`)
  },
  TIMEOUT,
)
