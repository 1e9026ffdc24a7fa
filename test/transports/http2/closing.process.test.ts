import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { callHeaders, FLAG, frame, grpcMessage, HELLO, openRaw, PREFACE, TYPE } from '../../attacks/raw-http2.ts'
import { qscope, run, temporaryDirectory } from '../../e2e/process.ts'
import { freePort } from '../../setup/free-port.ts'
import { sqliteFiles } from '../../setup/fresh-database.ts'

/** `SETTINGS_INITIAL_WINDOW_SIZE` (RFC 9113 §6.5.2): nothing but headers is taken, or all there is. */
const SHUT = frame(TYPE.SETTINGS, 0, 0, Buffer.of(0, 4, 0, 0, 0, 0))
const WIDE = frame(TYPE.SETTINGS, 0, 0, Buffer.of(0, 4, 0x7f, 0xff, 0xff, 0xff))
const WIDER = frame(TYPE.WINDOW, 0, 0, Buffer.of(0x7f, 0, 0, 0))
/** `ServerReflectionRequest.file_containing_symbol` (4): some hundred kilobytes come back. */
const SYMBOL = Buffer.from('qscope.v1.TokenService')
const LARGE_ANSWER = grpcMessage(Buffer.concat([Buffer.of(0x22, SYMBOL.byteLength), SYMBOL]))
const REFLECTION = { ':path': '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo' }
/** A call that is answered with so many times a hundred kilobytes. */
const asking = (times: number) => [
  frame(TYPE.HEADERS, FLAG.END_HEADERS, 1, callHeaders(REFLECTION)),
  frame(TYPE.DATA, FLAG.END_STREAM, 1, Buffer.concat(Array.from({ length: times }, () => LARGE_ANSWER))),
]
/** Of a message of a hundred bytes. */
const BEGINNING = grpcMessage(Buffer.alloc(10), 0, 100)
/** Longer than a server that stops waits for any of them. */
const MEANWHILE_MS = 6_000

/** What peers say before they say and read nothing more. */
const SAID: readonly (readonly Uint8Array[])[] = [
  // Asks, and lets no answer pass.
  [PREFACE, SHUT, ...asking(1)],
  // Has greeted.
  [HELLO],
  // Has not.
  [],
  // Has sent the beginning of a message.
  [HELLO, frame(TYPE.HEADERS, FLAG.END_HEADERS, 1, callHeaders()), frame(TYPE.DATA, 0, 1, BEGINNING)],
  // Has sent the headers of a call.
  [HELLO, frame(TYPE.HEADERS, FLAG.END_HEADERS, 1, callHeaders())],
]

it('peers that read nothing, or say nothing more, do not take the grace of a server that stops', async () => {
  const directory = await temporaryDirectory()
  const database = await sqliteFiles.create()
  onTestFinished(() => database.drop())
  const port = await freePort()
  const env = {
    QSCOPE_DATABASE_URL: database.url,
    QSCOPE_KEYRING_FILE: join(directory, 'keyring.json'),
    QSCOPE_GRPC_LISTEN: `127.0.0.1:${port}`,
    // Longer than this test may take.
    QSCOPE_SHUTDOWN_GRACE: '10m',
  }
  expect(await run(directory, ['migrate', 'up'], env)).toMatchObject({ code: 0 })
  const server = qscope(directory, ['serve'], env)
  await server.until(/listens on/)
  const connections = await Promise.all(SAID.map(() => openRaw(port)))
  for (const [at, { socket, send }] of connections.entries()) {
    onTestFinished(() => void socket.destroy())
    await send(...(SAID[at] ?? []))
  }
  const deaf = await openRaw(port)
  onTestFinished(() => void deaf.socket.destroy())
  deaf.socket.pause()
  // More than the system keeps for a peer that does not read.
  await deaf.send(PREFACE, WIDE, WIDER, ...asking(200))
  await sleep(MEANWHILE_MS)
  // A server that does not stop waits for them.
  expect(connections.map(({ isClosed }) => isClosed())).toEqual(SAID.map(() => false))
  server.child.kill('SIGTERM')
  expect(await server.ended).toEqual({ code: 0, signal: null })
})
