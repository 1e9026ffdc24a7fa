import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { scaled } from '../../setup/scale.ts'
import { Peer } from './peer.ts'
import { data, frame, headers, literals, PREFACE, request, SETTING, settings, TYPE } from './wire.ts'

const KIB = 1024
const MIB = 1024 * KIB
let server: ChildProcess
let port: number
let peers: Peer[]

beforeEach(async () => {
  peers = []
  server = fork(join(import.meta.dirname, 'echo-process.ts'))
  const [message] = await once(server, 'message')
  port = message.port
  await held()
})
afterEach(async () => {
  for (const peer of peers) peer.destroy()
  server.disconnect()
  await once(server, 'exit')
})

/** The memory of the server in bytes, after garbage collection. */
async function held(): Promise<number> {
  server.send('measure')
  const [message] = await once(server, 'message')
  return message.held
}

async function greet(...greeting: readonly Buffer[]): Promise<Peer> {
  const peer = await Peer.connect(port)
  peers.push(peer)
  peer.send(PREFACE, settings([SETTING.INITIAL_WINDOW_SIZE, 0]), ...greeting)
  await peer.until(({ type }) => type === TYPE.SETTINGS)
  return peer
}

/** The additional memory of the server for each connection, after `count` connections did this. */
async function costOf(count: number, attack: (peer: Peer) => void): Promise<number> {
  const before = await held()
  for (let at = 0; at < count; at += 1) attack(await greet())
  let cost = 0
  // Until the server has read everything and its memory is stable.
  for (let now = -1; Math.abs(now - cost) > 64 * KIB || now < 0; ) {
    now = cost
    await sleep(300)
    cost = (await held()) - before
  }
  process.stdout.write(`${count} connections: ${Math.round(cost / count / KIB)} KiB each\n`)
  return cost / count
}

const ids = (count: number) => Array.from({ length: count }, (_, at) => 2 * at + 1)

describe('the memory of the server for a connection', () => {
  it('is below 32 KiB while it is idle', async () => {
    expect(await costOf(scaled(1_000, 100), () => undefined)).toBeLessThan(32 * KIB)
  })

  it('is small after 100 requests', async () => {
    const count = scaled(200, 20)
    const cost = await costOf(count, (peer) => {
      for (const id of ids(100)) peer.send(headers(id, request('/bare', [['some', 'x'.repeat(1_000)]]), true))
    })
    // The second term is the pool of blocks that all connections share.
    expect(cost).toBeLessThan(48 * KIB + (2 * MIB) / count)
  })

  it('is bounded if answers are not read', async () => {
    const cost = await costOf(scaled(100, 10), (peer) => {
      peer.socket.pause()
      for (const id of ids(1_000)) peer.send(headers(id, request('/x')), data(id, 'c'.repeat(8_000), true))
    })
    // The pending answers, and the overhead of hundreds of streams.
    expect(cost).toBeLessThan(6 * MIB)
  })

  it('is bounded if header lists are long, frames and header blocks do not end, and nothing is read', async () => {
    const cost = await costOf(scaled(20, 4), (peer) => {
      peer.socket.pause()
      const long = [['long', 'x'.repeat(60_000)]] as const
      for (const id of ids(300)) {
        const block = literals(request('/never', long))
        peer.send(frame(TYPE.HEADERS, 1, id, block.subarray(0, 16_000)))
        for (let at = 16_000; at < block.length; at += 16_000) {
          peer.send(frame(TYPE.CONTINUATION, at + 16_000 >= block.length ? 4 : 0, id, block.subarray(at, at + 16_000)))
        }
      }
      peer.send(frame(TYPE.HEADERS, 0, 1_001, literals(request('/never', long)).subarray(0, 16_000)))
      peer.send(frame(TYPE.CONTINUATION, 0, 1_001, Buffer.alloc(16_000)).subarray(0, -1))
    })
    expect(cost).toBeLessThan(6 * MIB)
  })

  it('is released when it ends', async () => {
    const before = await held()
    for (let at = 0; at < scaled(100, 10); at += 1) {
      const peer = await greet()
      for (const id of ids(100)) peer.send(headers(id, request('/x')), data(id, 'c'.repeat(8_000), true))
    }
    await sleep(200)
    for (const peer of peers) peer.destroy()
    await expect.poll(async () => (await held()) - before).toBeLessThan(3 * MIB)
  })
})
