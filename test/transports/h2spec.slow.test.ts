import { describe, expect, it } from 'vitest'
import type { GrpcTransportName } from '../../src/config/variables.ts'
import { serve } from '../attacks/served.ts'
import { certificateAuthority, LOCAL_NAMES, suiteFolder } from '../setup/certificates.ts'
import { goProgram } from '../setup/go-programs.ts'
import { runH2spec } from './h2spec.ts'

const H2SPEC = goProgram('h2spec', 'the conformance tests of HTTP/2 by h2spec')
const ALL_CASES = 145

/** What a transport is known not to do, or not always: it depends on which of two frames comes first. */
const NOT_PASSED: Readonly<Record<GrpcTransportName, readonly string[]>> = {
  native: [],
  // A request that is no call is answered at once and without DATA: some cases need DATA, others that the stream is still open.
  'grpc-js': [
    'generic/2: Sends a WINDOW_UPDATE frame on half-closed (remote) stream',
    'generic/2: Sends a PRIORITY frame on half-closed (remote) stream',
    'http2/5.1: closed: Sends a DATA frame after sending RST_STREAM frame',
    'http2/5.1: closed: Sends a HEADERS frame after sending RST_STREAM frame',
    'http2/5.1: closed: Sends a DATA frame',
    'http2/5.1: closed: Sends a HEADERS frame',
    'http2/5.1.1: Sends stream identifier that is numerically smaller than previous',
    'http2/5.1.2: Sends HEADERS frames that causes their advertised concurrent stream limit to be exceeded',
    'http2/5.3.1: Sends PRIORITY frame that depend on itself',
    'http2/5.3.1: Sends HEADERS frame that depends on itself',
    'http2/5.1: half closed (remote): Sends a DATA frame',
    'http2/5.1: half closed (remote): Sends a HEADERS frame',
    'http2/6.1: Sends a DATA frame on the stream that is not in "open" or "half-closed (local)" state',
    'http2/6.9: Sends a WINDOW_UPDATE frame with a flow control window increment of 0 on a stream',
    'http2/8.1: Sends a second HEADERS frame without the END_STREAM flag',
    'http2/8.1.2.1: Sends a HEADERS frame that contains a pseudo-header field as trailers',
    'http2/8.1.2.6: Sends a HEADERS frame with the "content-length" header field which does not equal the DATA frame payload length',
    'http2/8.1.2.6: Sends a HEADERS frame with the "content-length" header field which does not equal the sum of the multiple DATA frames payload length',
    'http2/6.3: Sends a PRIORITY frame with 0x0 stream identifier',
    'http2/6.5.3: Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE',
    'http2/6.7: Sends a PING frame with ACK',
    'http2/6.9.1: Sends SETTINGS frame to set the initial window size to 1 and sends HEADERS frame',
    'http2/6.9.1: Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream',
    'http2/6.9.2: Changes SETTINGS_INITIAL_WINDOW_SIZE after sending HEADERS frame',
    'http2/6.9.2: Sends a SETTINGS frame for window size to be negative',
  ],
}

describe.skipIf(H2SPEC === null)('h2spec finds that HTTP/2 is spoken', () => {
  it.each([
    ['native', 'in plaintext', false],
    ['native', 'in TLS', true],
    // In TLS, more depends on the time that each frame takes.
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
      expect(notPassed.filter((title) => !NOT_PASSED[transport].includes(title))).toEqual([])
    } finally {
      await served.stop()
    }
  })
})
