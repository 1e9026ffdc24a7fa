import { connect as connectHttp2 } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { certificateAuthority, LOCAL_NAMES, suiteFolder } from '../../setup/certificates.ts'
import { type Echo, startEcho } from './peer.ts'

const folder = suiteFolder()
const ca = certificateAuthority(folder, 'ca')
const first = ca.issue('first', LOCAL_NAMES)
const second = ca.issue('second', LOCAL_NAMES)
const caller = ca.issue('caller', ['DNS:caller.internal'])

let echo: Echo
afterEach(() => echo.stop())

const contextOf = ({ cert, key }: { readonly cert: Buffer; readonly key: Buffer }) => ({ cert, key, ca: ca.cert })

async function start(requestCert = false, handshakeMs = 10_000): Promise<void> {
  const tls = { context: contextOf(first), requestCert, rejectUnauthorized: requestCert }
  echo = await startEcho({ handshakeMs }, { tls })
}

/** The socket after its handshake. @throws the error of a handshake that failed, or when the server closes at once. */
function handshake(options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: echo.port, host: '127.0.0.1', ca: ca.cert, ALPNProtocols: ['h2'], ...options })
    // In TLS 1.3 a server refuses a client certificate only after the handshake; if it accepts it, it sends its SETTINGS.
    socket.once('data', () => resolve(socket))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed')))
  })
}

function ask(options: object = {}): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const client = connectHttp2(`https://localhost:${echo.port}`, { ca: ca.cert, ...options })
    client.on('error', reject)
    const stream = client.request({ ':path': '/x' })
    stream.on('error', reject)
    stream.on('response', ({ ':status': status }) => {
      client.destroy()
      resolve(status)
    })
  })
}

describe('TLS (RFC 9113 §9.2)', () => {
  it('answers a client that offers h2 by ALPN', async () => {
    await start()
    expect(await ask()).toBe(200)
  })

  it('sends GOAWAY on a connection whose handshake completes after the server began to close', async () => {
    await start()
    const tcp = connectTcp(echo.port, '127.0.0.1')
    await new Promise((resolve) => tcp.once('connect', resolve))
    // The server has accepted this connection when it has answered a later one.
    expect(await ask()).toBe(200)
    const closed = echo.server.close('restart')
    const socket = connect({ socket: tcp, ca: ca.cert, servername: 'localhost', ALPNProtocols: ['h2'] })
    const client = connectHttp2('https://localhost', { createConnection: () => socket })
    const reason = await new Promise<Buffer>((resolve) => client.once('goaway', (_code, _last, data) => resolve(data)))
    expect(reason.toString()).toBe('restart')
    await closed
  })

  it('does not wait for an unfinished handshake when the server closes', async () => {
    const tls = { context: contextOf(first), requestCert: false, rejectUnauthorized: false }
    echo = await startEcho({ handshakeMs: 600_000, closingMs: 100 }, { tls })
    const tcp = connectTcp(echo.port, '127.0.0.1')
    await new Promise((resolve) => tcp.once('connect', resolve))
    const socket = await handshake()
    await sleep(500)
    // Neither connection is closed before.
    expect([tcp.destroyed, socket.destroyed]).toEqual([false, false])
    tcp.resume()
    await echo.server.close()
    socket.destroy()
  })

  it('refuses a client that does not offer h2 by ALPN', async () => {
    await start()
    await expect(handshake({ ALPNProtocols: [] })).rejects.toThrow('closed')
    await expect(handshake({ ALPNProtocols: ['http/1.1'] })).rejects.toThrow()
    expect([...echo.server.connections]).toEqual([])
  })

  it('accepts TLS 1.2 only with ephemeral keys and authenticated encryption, and refuses TLS 1.1', async () => {
    await start()
    const at12 = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const
    const socket = await handshake({ ...at12, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })
    expect(socket.getProtocol()).toBe('TLSv1.2')
    socket.destroy()
    for (const ciphers of ['ECDHE-ECDSA-AES128-SHA256', 'ECDHE-ECDSA-AES128-SHA', 'AES128-GCM-SHA256']) {
      await expect(handshake({ ...at12, ciphers })).rejects.toThrow()
    }
    await expect(
      handshake({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' }),
    ).rejects.toThrow()
  })

  it('requires a client certificate if configured, and passes it to the application', async () => {
    await start(true)
    await expect(handshake()).rejects.toThrow()
    const socket = await handshake(contextOf(caller))
    const subjects = [...echo.server.connections].map((each) => {
      return (each.socket as TLSSocket).getPeerX509Certificate()?.subject
    })
    expect(subjects).toEqual(['CN=caller'])
    socket.destroy()
  })

  it('presents a replaced certificate to new connections, and keeps the open ones', async () => {
    await start()
    const before = await handshake()
    echo.server.setSecureContext(contextOf(second))
    const after = await handshake()
    expect([before, after].map((socket) => socket.getPeerX509Certificate()?.subject)).toEqual(['CN=first', 'CN=second'])
    expect(before.destroyed).toBe(false)
    await expect(handshake({ ALPNProtocols: [] })).rejects.toThrow('closed')
    before.destroy()
    after.destroy()
  })

  it('closes a connection whose handshake exceeds the time limit', async () => {
    await start(false, 80)
    const socket = connectTcp({ port: echo.port, host: '127.0.0.1' })
    await new Promise((resolve) => socket.once('close', resolve).resume())
  })
})
