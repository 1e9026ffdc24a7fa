import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Echo, type Peer, startEcho } from './peer.ts'
import { CODE, data, headers, request, rstStream, SETTING, settings, TYPE, windowUpdate } from './wire.ts'

const WINDOW = 65_535
let echo: Echo
beforeAll(async () => {
  echo = await startEcho({ streamWindowBytes: 20_000, connectionWindowBytes: 100_000 })
})
afterAll(() => echo.stop())

const content = (bytes: number) => Buffer.alloc(Math.min(bytes, 16_384), 'c')

/** DATA frames of this many bytes, each within the limit for frames. */
function upload(stream: number, bytes: number): Buffer {
  const frames: Buffer[] = []
  for (let left = bytes; left > 0; left -= 16_384) frames.push(data(stream, content(left)))
  return Buffer.concat(frames)
}

/** Resolves when no more frames arrive. */
async function quiet(peer: Peer): Promise<void> {
  for (let seen = -1; seen !== peer.frames.length; ) {
    seen = peer.frames.length
    await sleep(60)
  }
}

const credit = (peer: Peer, stream: number) =>
  peer.frames
    .filter((frame) => frame.type === TYPE.WINDOW_UPDATE && frame.stream === stream)
    .reduce((sum, { payload }) => sum + payload.readUInt32BE(), 0)

describe('content that a peer sends', () => {
  it('is limited by the configured windows, which the server announces', async () => {
    const peer = await echo.greet()
    expect(credit(peer, 0)).toBe(100_000 - WINDOW)
    peer.send(headers(1, request('/hoard')), upload(1, 20_000))
    await quiet(peer)
    expect(credit(peer, 1)).toBe(0)
    peer.send(data(1, 'x'))
    expect(await peer.resetOf(1)).toBe(CODE.FLOW_CONTROL_ERROR)
    peer.destroy()
  })

  it('gets credit only after it is consumed', async () => {
    const peer = await echo.greet()
    peer.send(headers(1, request('/consumed')), upload(1, 20_000))
    await quiet(peer)
    expect(credit(peer, 1)).toBeGreaterThanOrEqual(10_000)
    expect(credit(peer, 1)).toBeLessThanOrEqual(20_000)
    peer.destroy()
  })

  it('does not use up the window of the connection if it is dropped', async () => {
    const peer = await echo.greet()
    // The server resets each stream at once, so all content is dropped: 20 times the window of the connection.
    for (let at = 0; at < 100; at += 1) {
      const id = 2 * at + 1
      peer.send(headers(id, request('/now')), upload(id, 20_000))
      await peer.resetOf(id)
    }
    await quiet(peer)
    expect(credit(peer, 0)).toBeGreaterThan(100 * 20_000 - 100_000)
    peer.destroy()
  })

  it('is credited to the connection when the handler that kept it ends', async () => {
    const peer = await echo.greet()
    for (const id of [1, 3, 5, 7, 9]) peer.send(headers(id, request('/hoard')), upload(id, 20_000))
    await quiet(peer)
    expect(credit(peer, 0)).toBe(100_000 - WINDOW)
    peer.send(headers(11, request('/x')), data(11, 'x'))
    expect((await peer.goAway()).code).toBe(CODE.FLOW_CONTROL_ERROR)
    const other = await echo.greet()
    for (const id of [1, 3, 5, 7, 9]) other.send(headers(id, request('/hoard')), upload(id, 20_000))
    for (const id of [1, 3, 5, 7, 9]) other.send(rstStream(id, CODE.CANCEL))
    await quiet(other)
    // The content of three requests reaches half of the window, for which credit is sent; that of the other two does not.
    expect(credit(other, 0)).toBe(100_000 - WINDOW + 60_000)
    other.destroy()
  })

  it('gets credit for its padding at once', async () => {
    const peer = await echo.greet()
    const padded = Buffer.concat([Buffer.of(255), Buffer.alloc(256)])
    peer.send(headers(1, request('/hoard')))
    for (let at = 0; at < 1_000; at += 1) {
      const bytes = data(1, padded)
      bytes.writeUInt8(8, 4)
      peer.send(bytes)
    }
    await quiet(peer)
    // Each frame has one byte of content and 256 bytes of padding.
    expect(credit(peer, 1)).toBeGreaterThan(1_000 * 256 - 20_000)
    expect(echo.application.calls.at(-1)?.content.length).toBe(1_000)
    peer.destroy()
  })
})

describe('content that is sent to a peer', () => {
  it('never exceeds the window of the peer', async () => {
    const peer = await echo.greet([SETTING.INITIAL_WINDOW_SIZE, 0])
    peer.send(headers(1, request('/send/25'), true), windowUpdate(1, 10))
    await quiet(peer)
    expect(peer.contentOf(1)).toHaveLength(10)
    peer.send(windowUpdate(1, 1))
    await quiet(peer)
    expect(peer.contentOf(1)).toHaveLength(11)
    peer.send(windowUpdate(1, 100))
    expect(await peer.answer(1)).toHaveLength(25)
    peer.destroy()
  })

  it('continues after SETTINGS that widen all windows, including negative ones', async () => {
    const peer = await echo.greet([SETTING.INITIAL_WINDOW_SIZE, 10])
    peer.send(headers(1, request('/send/25'), true), headers(3, request('/send/25'), true))
    await quiet(peer)
    peer.send(settings([SETTING.INITIAL_WINDOW_SIZE, 4]), windowUpdate(1, 3))
    await quiet(peer)
    expect([peer.contentOf(1).length, peer.contentOf(3).length]).toEqual([10, 10])
    peer.send(settings([SETTING.INITIAL_WINDOW_SIZE, 20]))
    await quiet(peer)
    expect([peer.contentOf(1).length, peer.contentOf(3).length]).toEqual([23, 20])
    peer.send(settings([SETTING.INITIAL_WINDOW_SIZE, 1_000]))
    expect([await peer.answer(1), await peer.answer(3)].map(({ length }) => length)).toEqual([25, 25])
    peer.destroy()
  })

  it('ends the connection if SETTINGS make a window too large', async () => {
    const peer = await echo.greet([SETTING.INITIAL_WINDOW_SIZE, 10])
    peer.send(headers(1, request('/never'), true), windowUpdate(1, 2 ** 31 - 11))
    peer.send(settings([SETTING.INITIAL_WINDOW_SIZE, 11]))
    expect((await peer.goAway()).code).toBe(CODE.FLOW_CONTROL_ERROR)
    await peer.untilClosed()
  })

  it('shares the window of the connection fairly among streams', async () => {
    const peer = await echo.greet([SETTING.INITIAL_WINDOW_SIZE, 1_000_000])
    peer.send(...[1, 3, 5].map((id) => headers(id, request('/send/100000'), true)))
    await quiet(peer)
    const sizes = () => [1, 3, 5].map((id) => peer.contentOf(id).length)
    expect(sizes().reduce((sum, each) => sum + each)).toBe(WINDOW)
    peer.send(windowUpdate(0, 3 * 16_384))
    await quiet(peer)
    expect(sizes().reduce((sum, each) => sum + each)).toBe(WINDOW + 3 * 16_384)
    expect(Math.min(...sizes())).toBeGreaterThan(0)
    peer.send(windowUpdate(0, 1_000_000))
    for (const id of [1, 3, 5]) expect(await peer.answer(id)).toHaveLength(100_000)
    peer.destroy()
  })

  it('is not split into ever smaller frames if the peer gives credit for each', async () => {
    const peer = await echo.greet()
    peer.send(headers(1, request('/send/3000000'), true))
    let [seen, sizes] = [0, 0]
    while (sizes < 3_000_000) {
      await sleep(0)
      for (const { type, payload } of peer.frames.slice(seen)) {
        if (type !== TYPE.DATA) continue
        sizes += payload.length
        peer.send(windowUpdate(0, payload.length), windowUpdate(1, payload.length))
      }
      seen = peer.frames.length
    }
    const frames = peer.frames.filter(({ type }) => type === TYPE.DATA)
    expect(frames.length).toBeLessThan(3_000_000 / 2_000)
    peer.destroy()
  })

  it('is sent in small frames if the window stays small', async () => {
    const peer = await echo.greet()
    peer.send(headers(1, request('/send/65545'), true))
    await quiet(peer)
    peer.send(windowUpdate(0, 7), windowUpdate(1, 3))
    await peer.until(() => peer.contentOf(1).length === 65_538)
    peer.destroy()
  })

  it('pauses and resumes its handler', async () => {
    const peer = await echo.greet([SETTING.INITIAL_WINDOW_SIZE, 15_000])
    peer.send(headers(1, request('/send/60001'), true))
    for (let sent = 15_000; sent <= 60_000; sent += 15_000) {
      await quiet(peer)
      expect(peer.contentOf(1)).toHaveLength(sent)
      peer.send(windowUpdate(1, 15_000))
    }
    expect(await peer.answer(1)).toHaveLength(60_001)
    expect(echo.application.call('/send/60001').events.filter((event) => event === 'drained').length).toBeGreaterThan(3)
    peer.destroy()
  })

  it('is split into frames of at most 16,384 bytes', async () => {
    const peer = await echo.greet([SETTING.INITIAL_WINDOW_SIZE, 1_000_000])
    peer.send(windowUpdate(0, 1_000_000), headers(1, request('/big')))
    for (let at = 0; at < 5; at += 1) {
      peer.send(upload(1, 10_000))
      await quiet(peer)
    }
    peer.send(data(1, '', true))
    expect(await peer.answer(1)).toHaveLength('1 /big '.length + 50_000)
    expect(Math.max(...peer.frames.map(({ payload }) => payload.length))).toBeLessThanOrEqual(16_384)
    peer.destroy()
  })
})
