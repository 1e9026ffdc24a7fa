import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { StreamFailure } from './protocol.ts'
import type { HranaStream } from './stream.ts'

/** How long an expired stream is remembered, so that its client gets the reason. */
const REMEMBERED_MS = 60_000

interface Held {
  readonly id: string
  readonly stream: HranaStream
  sequence: number
  /** A request is using it. */
  busy: boolean
  timer: NodeJS.Timeout | null
}

/** The streams between requests, by baton. Each baton is signed and valid for one request. */
export class HeldStreams {
  readonly #key = randomBytes(32)
  readonly #idleMs: number
  readonly #held = new Map<string, Held>()
  readonly #expired = new Set<string>()

  constructor(idleMs: number) {
    this.#idleMs = idleMs
  }

  /** @throws StreamFailure for a baton that is forged, used, or of a closed stream. */
  take(baton: string): Held {
    const { id, sequence } = this.#read(baton)
    const held = this.#held.get(id)
    if (held === undefined) {
      if (this.#expired.has(id)) {
        throw new StreamFailure(400, 'The stream has expired due to inactivity', 'STREAM_EXPIRED')
      }
      throw new StreamFailure(400, 'Received an invalid baton')
    }
    if (held.busy || held.sequence !== sequence) throw new StreamFailure(400, 'Received a baton that was used already')
    if (held.timer !== null) clearTimeout(held.timer)
    held.sequence += 1
    held.busy = true
    return held
  }

  open(stream: HranaStream): Held {
    const held: Held = { id: randomBytes(8).toString('hex'), stream, sequence: 1, busy: true, timer: null }
    this.#held.set(held.id, held)
    return held
  }

  /** The baton for the next request. `null`: the stream is closed. */
  release(held: Held): string | null {
    held.busy = false
    if (held.stream.closed) {
      this.#held.delete(held.id)
      return null
    }
    held.timer = setTimeout(() => this.#expire(held), this.#idleMs)
    return this.#baton(held)
  }

  /** Closes a stream whose request failed. */
  drop(held: Held): void {
    held.stream.close()
    this.#held.delete(held.id)
  }

  #expire(held: Held): void {
    this.drop(held)
    this.#expired.add(held.id)
    setTimeout(() => this.#expired.delete(held.id), REMEMBERED_MS).unref()
  }

  #baton({ id, sequence }: Held): string {
    const payload = `${id}.${sequence}`
    return `${payload}.${this.#mac(payload).toString('base64url')}`
  }

  #read(baton: string): { readonly id: string; readonly sequence: number } {
    const [id = '', sequence = '', mac = ''] = baton.split('.')
    const given = Buffer.from(mac, 'base64url')
    const right = this.#mac(`${id}.${sequence}`)
    if (given.length !== right.length || !timingSafeEqual(given, right)) {
      throw new StreamFailure(400, 'Received an invalid baton')
    }
    return { id, sequence: Number(sequence) }
  }

  #mac(payload: string): Buffer {
    return createHmac('sha256', this.#key).update(payload).digest()
  }
}
