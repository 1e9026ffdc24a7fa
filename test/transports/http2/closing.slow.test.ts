import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { callHeaders, FLAG, frame, grpcMessage, HELLO, openRaw, PREFACE, TYPE } from '../../attacks/raw-http2.ts'
import { qscope, run, temporaryDirectory } from '../../e2e/process.ts'
import { freePort } from '../../setup/free-port.ts'
import { sqliteFiles } from '../../setup/fresh-database.ts'

/** `SETTINGS_INITIAL_WINDOW_SIZE` (RFC 9113 §6.5.2): a window of zero, and the largest one. */
const SHUT = frame(TYPE.SETTINGS, 0, 0, Buffer.of(0, 4, 0, 0, 0, 0))
const WIDE = frame(TYPE.SETTINGS, 0, 0, Buffer.of(0, 4, 0x7f, 0xff, 0xff, 0xff))
const WIDER = frame(TYPE.WINDOW, 0, 0, Buffer.of(0x7f, 0, 0, 0))
/** `ServerReflectionRequest.file_containing_symbol` (4): the answer has more than 100 kB. */
const SYMBOL = Buffer.from('qscope.v1.TokenService')
const LARGE_ANSWER = grpcMessage(Buffer.concat([Buffer.of(0x22, SYMBOL.byteLength), SYMBOL]))
const REFLECTION = { ':path': '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo' }
/** A call with this many answers of 100 kB. */
const asking = (times: number) => [
  frame(TYPE.HEADERS, FLAG.END_HEADERS, 1, callHeaders(REFLECTION)),
  frame(TYPE.DATA, FLAG.END_STREAM, 1, Buffer.concat(Array.from({ length: times }, () => LARGE_ANSWER))),
]
/** The beginning of a message of 100 bytes. */
const BEGINNING = grpcMessage(Buffer.alloc(10), 0, 100)
/** More time than a stopping server waits for any of these peers. */
const MEANWHILE_MS = 6_000

/** The bytes that the peers send before they stop sending and reading. */
const SAID: readonly (readonly Uint8Array[])[] = [
  // A call, with a window of zero for its answer.
  [PREFACE, SHUT, ...asking(1)],
  // Only the greeting.
  [HELLO],
  // No bytes.
  [],
  // The beginning of a message.
  [HELLO, frame(TYPE.HEADERS, FLAG.END_HEADERS, 1, callHeaders()), frame(TYPE.DATA, 0, 1, BEGINNING)],
  // The headers of a call.
  [HELLO, frame(TYPE.HEADERS, FLAG.END_HEADERS, 1, callHeaders())],
]

it('a stopping server does not wait its whole grace period for peers that neither read nor send', async () => {
  const directory = await temporaryDirectory()
  const database = await sqliteFiles.create()
  onTestFinished(() => database.drop())
  const port = await freePort()
  const env = {
    QSCOPE_DATABASE_URL: database.url,
    QSCOPE_KEYRING_FILE: join(directory, 'keyring.json'),
    QSCOPE_GRPC_LISTEN: `127.0.0.1:${port}`,
    // More than the time limit of this test.
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
  // More than the kernel buffers for a peer that does not read.
  await deaf.send(PREFACE, WIDE, WIDER, ...asking(200))
  await sleep(MEANWHILE_MS)
  // A server that is not stopping keeps these connections.
  expect(connections.map(({ isClosed }) => isClosed())).toEqual(SAID.map(() => false))
  server.child.kill('SIGTERM')
  expect(await server.ended).toEqual({ code: 0, signal: null })
})
