import type { Worker } from 'node:cluster'

/** What travels inside of `node:cluster` with a connection, and back (lib/internal/cluster in Node.js 24). */
interface Internal {
  readonly act?: unknown
  readonly seq?: unknown
  readonly ack?: unknown
}

interface Handle {
  close(): void
}

/**
 * Ends the connections that a worker was being handed when it died. Node keeps
 * them open with nobody to answer, and their callers would wait until they give
 * up; ended, they connect again. Should Node speak otherwise one day, nothing is
 * found here, and nothing harmed.
 */
export function endLostConnections(worker: Worker): void {
  const underWay = new Map<unknown, Handle>()
  const { process } = worker
  const send = process.send.bind(process)
  process.send = (message: Internal, ...rest: unknown[]) => {
    const [handle] = rest
    if (message.act === 'newconn' && isHandle(handle)) underWay.set(message.seq, handle)
    return Reflect.apply(send, process, [message, ...rest])
  }
  process.on('internalMessage', ({ ack }: Internal) => underWay.delete(ack))
  process.on('exit', () => {
    for (const handle of underWay.values()) handle.close()
    underWay.clear()
  })
}

function isHandle(value: unknown): value is Handle {
  return typeof value === 'object' && value !== null && 'close' in value && typeof value.close === 'function'
}
