import { describe, expect, it } from 'vitest'
import type { GrpcTransportName } from '../../src/config/variables.ts'
import { serve } from '../attacks/served.ts'
import { certificateAuthority, LOCAL_NAMES, suiteFolder } from '../setup/certificates.ts'
import { goProgram } from '../setup/go-programs.ts'
import { runH2spec } from './h2spec.ts'

const H2SPEC = goProgram('h2spec', 'the conformance tests of HTTP/2 by h2spec')
const ALL_CASES = 145

/**
 * The minimum number of passed cases. With grpc-js it varies with the order of frames: a request that is not a call is
 * answered at once and without DATA, but some cases need DATA, and others an open stream.
 */
const LEAST: Readonly<Record<GrpcTransportName, number>> = { native: ALL_CASES, 'grpc-js': 120 }

describe.skipIf(H2SPEC === null)('h2spec passes', () => {
  it.each([
    ['native', 'in plaintext', false],
    ['native', 'in TLS', true],
    // Only in plaintext, because the results vary more with TLS.
    ['grpc-js', 'in plaintext', false],
  ] as const)('by %s %s', async (transport, _, tls) => {
    const certificate = tls ? certificateAuthority(suiteFolder(), 'ca').issue('server', LOCAL_NAMES) : null
    const served = await serve({
      QSCOPE_GRPC_TRANSPORT: transport,
      ...(certificate && { QSCOPE_TLS_CERT_FILE: certificate.certFile, QSCOPE_TLS_KEY_FILE: certificate.keyFile }),
    })
    try {
      const cases = await runH2spec(H2SPEC ?? '', { port: served.port, tls })
      expect(cases).toHaveLength(ALL_CASES)
      const notPassed = cases.filter(({ result }) => result !== 'passed').map(({ title }) => title)
      expect(ALL_CASES - notPassed.length, notPassed.join('\n')).toBeGreaterThanOrEqual(LEAST[transport])
    } finally {
      await served.stop()
    }
  })
})
