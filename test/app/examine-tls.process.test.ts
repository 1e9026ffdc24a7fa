import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tlsFindings } from '../../src/app/doctor/examine-tls.ts'
import { endpointAt } from '../../src/cli/connection/endpoint.ts'
import { parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { certificateAuthority, LOCAL_NAMES, suiteFolder } from '../setup/certificates.ts'

const folder = suiteFolder()
const ca = certificateAuthority(folder, 'ca')
const serving = ca.issue('server', LOCAL_NAMES)
const elsewhere = ca.issue('elsewhere', ['DNS:q.example'])
const DAY = 86_400_000

const look = (more: Record<string, string> = {}, now?: number) =>
  tlsFindings(
    parseConfig(
      readEnvironment({
        QSCOPE_TLS_CERT_FILE: serving.certFile,
        QSCOPE_TLS_KEY_FILE: serving.keyFile,
        QSCOPE_TLS_CLIENT_CA_FILE: ca.certFile,
        ...more,
      }),
    ),
    now,
  )
const states = (findings: Awaited<ReturnType<typeof look>>) => findings.map(({ check, state }) => `${check}: ${state}`)

describe('the doctor, of TLS', () => {
  it('reports that pair, names and CA are in order, and their expiry', async () => {
    const findings = await look({}, Date.now() - 30 * DAY)
    expect(states(await look())).toEqual(['tls: warning', 'tls names: ok', 'tls clients: warning'])
    expect(findings[0]).toMatchObject({ state: 'problem', finding: expect.stringContaining('is not valid before') })
    expect((await look())[1]?.finding).toContain('127.0.0.1')
  })

  it.each([
    ['PKCS #8', ['pkcs8', '-topk8', '-v2', 'aes-256-cbc']],
    ['the older form of OpenSSL', ['ec', '-aes128']],
  ])('reports in one line that a private key in %s is encrypted, and how to decrypt it', async (_form, command) => {
    const keyFile = join(folder, 'encrypted.key')
    execFileSync('openssl', [...command, '-in', serving.keyFile, '-out', keyFile, '-passout', 'pass:secret'], {
      stdio: 'pipe',
    })
    const [finding] = await look({ QSCOPE_TLS_KEY_FILE: keyFile })
    expect(finding).toMatchObject({ state: 'problem' })
    expect(finding?.finding).toMatch(
      /^QSCOPE_TLS_KEY_FILE: [^\n]+ is an encrypted private key, [^\n]+openssl pkey -in [^\n]+$/,
    )
    expect(() => endpointAt({ host: '127.0.0.1', port: 1 }, { certFile: serving.certFile, keyFile })).toThrow(
      /is an encrypted private key, [^\n]+$/,
    )
  })

  it('finds an expired certificate', async () => {
    expect((await look({}, Date.now() + 5 * DAY))[0]).toMatchObject({
      state: 'problem',
      finding: expect.stringContaining('expired on'),
    })
  })

  it('finds names under which callers do not reach the server', async () => {
    const other = { QSCOPE_TLS_CERT_FILE: elsewhere.certFile, QSCOPE_TLS_KEY_FILE: elsewhere.keyFile }
    expect(states(await look(other))[1]).toBe('tls names: warning')
    expect(states(await look({ ...other, QSCOPE_ISSUER: 'https://q.example' }))[1]).toBe('tls names: ok')
  })

  it('finds a key of another certificate', async () => {
    expect(await look({ QSCOPE_TLS_KEY_FILE: elsewhere.keyFile })).toEqual([
      expect.objectContaining({ state: 'problem', finding: expect.stringContaining('not the key') }),
    ])
  })

  it('finds nothing wrong with plaintext on loopback', async () => {
    expect(states(await tlsFindings(parseConfig(readEnvironment({}))))).toEqual(['tls: ok'])
  })
})
