import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { parseLibsqlUrl } from '../../src/domain/libsql-url.ts'
import { parseServerUrl } from '../../src/domain/server-url.ts'
import { isCommit, isWhole } from './database-messages.ts'

/** The fault of the next COMMIT. */
export type CommitFault =
  /** The server does not receive it. */
  | 'dropped'
  /** The server commits, and the answer is lost. */
  | 'unanswered'
  /** The server does not receive it, and the client gets no error. */
  | 'swallowed'
  /** The client's connection breaks, and the server receives the COMMIT only after the next one of another connection. */
  | 'late'

/** A proxy between a server and its clients that simulates network failures. */
export interface DatabaseProxy {
  /** The database's URL through the proxy. */
  readonly url: string
  /** `host:port` of the proxy. */
  readonly address: string
  /**
   * Breaks the connection of the next COMMIT, unless it is swallowed, together with everything sent with it. New connections
   * are then refused for `refuseMs`.
   */
  failNextCommit(fault: CommitFault, refuseMs?: number): void
  /** Whether a fault has occurred. */
  readonly failed: boolean
  /** Closes every connection. */
  cut(): void
  /** Closes the connection of the nth client message from now on, after the server has received it. */
  cutAtMessage(nth: number): void
  /** Drops all packets without an error. */
  freeze(): void
  thaw(): void
  /**
   * Passes this number of packets of each connection, in both directions together, and drops all later ones. The sockets stay
   * open. `null`: new connections work normally again, and affected ones stay dropped.
   */
  goDumbAfter(packets: number | null): void
  /** Replaces a text that clients send by another one of the same length, as a pooler might. */
  rewrite(from: string, to: string): void
  /** Delays each packet. */
  delay(ms: number): void
  /** Refuses new connections, or accepts them again. */
  refuse(refused: boolean): void
  readonly connections: number
  close(): Promise<void>
}

/** Starts a proxy for a database server. */
export async function startProxy(databaseUrl: string): Promise<DatabaseProxy> {
  const { host, port } = targetOf(databaseUrl)
  const { protocol } = new URL(databaseUrl)
  const pairs = new Set<{ readonly client: Socket; readonly server: Socket }>()
  let fault: CommitFault | null = null
  let failed = false
  /** Sends the held bytes and waits until the server has processed them. */
  let deliverHeld: (() => Promise<void>) | null = null
  let refuseMs = 0
  let refusing = false
  let frozen = false
  let delayMs = 0
  /** 0: no cut is planned. */
  let messagesUntilCut = 0
  let packetsUntilDumb = Number.POSITIVE_INFINITY
  const rewritten: { readonly from: Buffer; readonly to: Buffer }[] = []

  const listener = createServer((client) => {
    if (refusing) {
      client.destroy()
      return
    }
    const server = connect({ host, port })
    const pair = { client, server }
    pairs.add(pair)
    const end = () => {
      client.destroy()
      if (isHeld) return
      server.destroy()
      pairs.delete(pair)
    }
    for (const socket of [client, server]) socket.on('error', end).on('close', end)
    let swallow = false
    let isHeld = false
    let deliver: (() => Promise<void>) | null = null
    let answer = Buffer.alloc(0)
    let passed = 0
    const mayPass = packetsUntilDumb
    const isDumb = () => {
      passed += 1
      return frozen || passed > Math.min(mayPass, packetsUntilDumb)
    }
    client.on('data', (bytes) => {
      if (isDumb()) return
      for (const { from, to } of rewritten) {
        for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from)) to.copy(bytes, at)
      }
      if (fault !== null && isCommit(bytes)) {
        const used = fault
        fault = null
        failed = true
        if (refuseMs > 0) refuseFor(refuseMs)
        if (used === 'swallowed') return
        if (used === 'dropped') {
          end()
          return
        }
        swallow = true
        if (used === 'late') {
          isHeld = true
          deliverHeld = async () => {
            isHeld = false
            server.write(bytes)
            await once(server, 'close')
          }
          client.destroy()
          return
        }
      }
      if (deliverHeld !== null && isCommit(bytes)) {
        deliver = deliverHeld
        deliverHeld = null
      }
      if (messagesUntilCut > 0) {
        messagesUntilCut -= 1
        if (messagesUntilCut === 0) {
          server.write(bytes, end)
          return
        }
      }
      later(() => server.write(bytes))
    })
    server.on('data', (bytes) => {
      if (isDumb()) return
      if (!swallow) {
        const pass = () => later(() => client.write(bytes))
        if (deliver === null) pass()
        else void deliver().then(pass)
        deliver = null
        return
      }
      answer = Buffer.concat([answer, bytes])
      if (isWhole(answer, protocol)) end()
    })
  })
  const later = (pass: () => void) => {
    if (delayMs === 0) pass()
    else setTimeout(pass, delayMs)
  }
  const refuseFor = (ms: number) => {
    refusing = true
    setTimeout(() => {
      refusing = false
    }, ms)
  }
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const bound = listener.address()
  if (bound === null || typeof bound === 'string') throw new Error('the proxy has no port')
  const cut = () => {
    for (const { client, server } of pairs) {
      client.destroy()
      server.destroy()
    }
  }
  const address = `127.0.0.1:${bound.port}`
  return {
    address,
    url: databaseUrl.replace(/(@|:\/\/)[^/@]+\//, `$1${address}/`),
    failNextCommit: (next, ms = 0) => {
      fault = next
      failed = false
      refuseMs = ms
    },
    get failed() {
      return failed
    },
    cut,
    cutAtMessage: (nth) => {
      messagesUntilCut = nth
    },
    freeze: () => {
      frozen = true
    },
    thaw: () => {
      frozen = false
    },
    goDumbAfter: (packets) => {
      packetsUntilDumb = packets ?? Number.POSITIVE_INFINITY
    },
    rewrite: (from, to) => {
      if (Buffer.byteLength(from) !== Buffer.byteLength(to) || from === to)
        throw new Error('another text of this length')
      rewritten.push({ from: Buffer.from(from), to: Buffer.from(to) })
    },
    delay: (ms) => {
      delayMs = ms
    },
    refuse: (refused) => {
      refusing = refused
    },
    get connections() {
      return pairs.size
    },
    close: async () => {
      cut()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
}

function targetOf(databaseUrl: string): { readonly host: string; readonly port: number } {
  const target = parseServerUrl(databaseUrl)?.hosts[0] ?? null
  if (target !== null) return { host: target.host, port: target.port ?? 0 }
  if (parseLibsqlUrl(databaseUrl)?.plaintext !== true) throw new Error('only servers can be stood in front of')
  const { hostname, port } = new URL(databaseUrl)
  return { host: hostname, port: Number(port) }
}
