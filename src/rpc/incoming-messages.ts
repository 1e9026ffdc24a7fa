import { peerKey } from '../domain/peer-key.ts'
import { type FailedResult, fail, RETRY_AFTER_MS } from '../results.ts'
import { DEFAULT_INCOMING_LIMITS, type IncomingLimits } from './incoming-limits.ts'

/** The memory of a call that has sent nothing yet. */
const CALL_OVERHEAD_BYTES = 8 * 1024
/** HTTP/2 lets a caller send so much before it is read; a message up to this size never waits. */
const WINDOW_BYTES = 64 * 1024
/** Large messages that are read take no more of the total than this, so that small ones find room. */
const SHARE_OF_LARGE = 0.75
/** The memory of a chunk in addition to its bytes. */
const PIECE_OVERHEAD_BYTES = 256
/** A compressed message counts twice, and others must still fit beside it. */
const MESSAGES_THAT_FIT = 4
const SWEEP_EVERY_MS = 1_000

/** A call whose message is arriving, as its transport handles it. */
export interface IncomingCall {
  /** The address of the caller, without its port. */
  readonly peer: string
  /** The connection of the call: the same object for all calls of a connection. */
  readonly connection: object
  /** Stops reading the message until `resume`. */
  pause(): void
  resume(): void
  /** Ends the call, and drops what it has sent. */
  refuse(failure: FailedResult): void
}

interface Holder {
  bytes: number
}

interface Connection extends Holder {
  readonly peer: Peer
  readonly messages: Set<IncomingMessage>
  /** Of large messages that are read. */
  reading: number
}

interface Peer extends Holder {
  readonly name: string
  readonly connections: Map<object, Connection>
}

/**
 * Limits the memory of messages that have not arrived completely. Their senders are not
 * authenticated yet. A small message is always read. A large message is read when all of
 * it fits into the limits of its connection and of the process; until then it waits. If a
 * message waits too long, or if the waiting messages exceed their own limit, the caller
 * that holds the most memory is refused, so that callers cannot lock out others.
 */
export class IncomingMessages {
  readonly #limits: IncomingLimits
  readonly #now: () => number
  readonly #peers = new Map<string, Peer>()
  /** In the order in which they came. */
  readonly #all = new Set<IncomingMessage>()
  readonly #waiting = new Set<IncomingMessage>()
  #bytes = 0
  #reading = 0
  #clock: NodeJS.Timeout | null = null
  /** When the server was told to stop; messages that have not arrived soon after are refused. */
  #stoppedAt: number | null = null

  /**
   * @param maxMessageBytes the largest message; some of these always fit.
   * @param now a monotonic clock, in milliseconds.
   */
  constructor(
    maxMessageBytes: number,
    limits: Partial<IncomingLimits> = {},
    now: () => number = () => performance.now(),
  ) {
    const wanted = { ...DEFAULT_INCOMING_LIMITS, ...limits }
    this.#limits = { ...wanted, totalBytes: Math.max(wanted.totalBytes, MESSAGES_THAT_FIT * maxMessageBytes) }
    this.#now = now
  }

  /** The memory in use, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** The server is stopping: messages that do not arrive soon are refused. */
  stop(): void {
    this.#stoppedAt ??= this.#now()
  }

  /** A call has begun, and its message has not arrived. `headerBytes` are held with it. */
  open(call: IncomingCall, headerBytes: number): IncomingMessage {
    const connection = this.#connectionOf(call)
    const message = new IncomingMessage(this, call, connection, this.#now())
    connection.messages.add(message)
    this.#all.add(message)
    this.#clock ??= setInterval(() => this.#sweep(), Math.min(SWEEP_EVERY_MS, this.#limits.arrivalMs)).unref()
    this.#charge(message, CALL_OVERHEAD_BYTES + headerBytes)
    return message
  }

  /** The size of a message is known: reads on, or waits. */
  expect(message: IncomingMessage, size: number): void {
    if (size <= WINDOW_BYTES) this.#charge(message, size)
    else if (this.#hasRoom(message, size)) this.#read(message, size)
    else {
      message.wants = size
      this.#waiting.add(message)
      message.call.pause()
      this.#charge(message, WINDOW_BYTES)
    }
  }

  /** What a message takes beyond its size. */
  add(message: IncomingMessage, bytes: number): void {
    this.#charge(message, bytes)
  }

  /** It has arrived, or the call is over. */
  close(message: IncomingMessage): void {
    const { reading } = message
    if (this.#forget(message) && reading > 0) this.#resumeWaiting()
  }

  #hasRoom({ connection }: IncomingMessage, size: number): boolean {
    const { totalBytes, connectionBytes } = this.#limits
    const mayRead = (reading: number, limit: number) => reading === 0 || reading + size <= limit
    return mayRead(connection.reading, connectionBytes) && mayRead(this.#reading, totalBytes * SHARE_OF_LARGE)
  }

  #read(message: IncomingMessage, size: number): void {
    message.reading = size
    message.connection.reading += size
    this.#reading += size
    this.#charge(message, size)
  }

  #charge(message: IncomingMessage, bytes: number): void {
    message.bytes += bytes
    message.connection.bytes += bytes
    message.connection.peer.bytes += bytes
    this.#bytes += bytes
    while (this.#bytes > this.#limits.totalBytes) this.#refuse(this.#largestHolder())
  }

  #resumeWaiting(): void {
    for (const message of this.#waiting) if (this.#hasRoom(message, message.wants)) this.#resume(message)
  }

  #resume(message: IncomingMessage): void {
    const { wants } = message
    this.#waiting.delete(message)
    message.wants = 0
    message.call.resume()
    this.#read(message, wants - WINDOW_BYTES)
  }

  /** A message that has waited for a second takes the place of one whose connection holds more. */
  #makeRoom(): void {
    const longAgo = this.#now() - SWEEP_EVERY_MS
    for (const message of this.#waiting) {
      if (message.beganAt > longAgo) return
      for (;;) {
        const victim = this.#largestHolder()
        if (!holdsMoreThan(victim.connection, message)) break
        this.#refuse(victim)
        if (!this.#hasRoom(message, message.wants)) continue
        this.#resume(message)
        break
      }
    }
  }

  /** The first call of the connection that holds the most, of the address that does. */
  #largestHolder(): IncomingMessage {
    const peer = largest(this.#peers.values())
    const [message] = largest(peer.connections.values()).messages
    if (message === undefined) throw new Error('a connection without calls is kept')
    return message
  }

  #refuse(message: IncomingMessage): void {
    const { name } = message.connection.peer
    this.#forget(message)
    if (this.#stoppedAt !== null) {
      message.call.refuse(fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS }))
      return
    }
    const description = 'messages from this address are too large together, or arrive too slowly'
    const quota = { subject: `peer:${name}`, description }
    message.call.refuse(fail('limit.exceeded', { quota, retryAfterMs: RETRY_AFTER_MS }))
  }

  #sweep(): void {
    const now = this.#now()
    for (const message of this.#all) {
      if (this.#dueOf(message) > now) break
      this.#refuse(message)
    }
    this.#resumeWaiting()
    this.#makeRoom()
  }

  #dueOf({ beganAt }: IncomingMessage): number {
    const { arrivalMs, stoppingArrivalMs } = this.#limits
    const due = beganAt + arrivalMs
    return this.#stoppedAt === null ? due : Math.min(due, Math.max(beganAt, this.#stoppedAt) + stoppingArrivalMs)
  }

  #forget(message: IncomingMessage): boolean {
    if (!this.#all.delete(message)) return false
    const { connection, call } = message
    const { peer } = connection
    this.#waiting.delete(message)
    connection.messages.delete(message)
    connection.bytes -= message.bytes
    peer.bytes -= message.bytes
    this.#bytes -= message.bytes
    connection.reading -= message.reading
    this.#reading -= message.reading
    message.wants = 0
    if (connection.messages.size === 0) peer.connections.delete(call.connection)
    if (peer.connections.size === 0) this.#peers.delete(peer.name)
    if (this.#all.size === 0 && this.#clock !== null) {
      clearInterval(this.#clock)
      this.#clock = null
    }
    return true
  }

  #connectionOf(call: IncomingCall): Connection {
    const name = peerKey(call.peer)
    const peer = this.#peers.get(name) ?? { name, bytes: 0, connections: new Map<object, Connection>() }
    this.#peers.set(name, peer)
    const known = peer.connections.get(call.connection)
    if (known !== undefined) return known
    const connection = { bytes: 0, reading: 0, peer, messages: new Set<IncomingMessage>() }
    peer.connections.set(call.connection, connection)
    return connection
  }
}

/** A message that is arriving. */
export class IncomingMessage {
  readonly call: IncomingCall
  readonly connection: Connection
  /** On the clock of all messages. */
  readonly beganAt: number
  bytes = 0
  /** Its size while it waits. */
  wants = 0
  /** What it takes of the room for large messages. */
  reading = 0
  readonly #messages: IncomingMessages
  #size: number | null = null
  #received = 0

  constructor(messages: IncomingMessages, call: IncomingCall, connection: Connection, beganAt: number) {
    this.#messages = messages
    this.call = call
    this.connection = connection
    this.beganAt = beganAt
  }

  get sizeIsKnown(): boolean {
    return this.#size !== null
  }

  /** The size of the whole message is known. */
  expect(size: number): void {
    this.#size = size
    this.#messages.expect(this, size)
  }

  /** A piece of so many bytes came: many small ones take more than their bytes, and some callers send more than they said. */
  received(bytes: number): void {
    const before = this.#received
    this.#received += bytes + PIECE_OVERHEAD_BYTES
    const beyond = this.#received - Math.max(before, this.#size ?? 0)
    if (beyond > 0) this.#messages.add(this, beyond)
  }

  close(): void {
    this.#messages.close(this)
  }
}

/** Addresses are compared first: one with many connections is not many callers. */
function holdsMoreThan(other: Connection, { connection, wants }: IncomingMessage): boolean {
  if (other.peer !== connection.peer) return other.peer.bytes > connection.peer.bytes + wants
  return other.bytes > connection.bytes + wants
}

function largest<T extends Holder>(holders: Iterable<T>): T {
  let most: T | null = null
  for (const holder of holders) if (most === null || holder.bytes > most.bytes) most = holder
  if (most === null) throw new Error('bytes are held by nobody')
  return most
}
