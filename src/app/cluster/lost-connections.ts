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
 * Closes the connections that a worker was being handed when it died. Node keeps
 * them open with nobody to answer, and their callers would wait until they give
 * up; once closed, they connect again. Should Node change these messages one day, nothing
 * is found here, and nothing breaks.
 */
export function closeLostConnections(worker: Worker): void {
  const handedOver = new Map<unknown, Handle>()
  const { process } = worker
  const send = process.send.bind(process)
  process.send = (message: Internal, ...rest: unknown[]) => {
    const [handle] = rest
    if (message.act === 'newconn' && isHandle(handle)) handedOver.set(message.seq, handle)
    return Reflect.apply(send, process, [message, ...rest])
  }
  process.on('internalMessage', ({ ack }: Internal) => handedOver.delete(ack))
  process.on('exit', () => {
    for (const handle of handedOver.values()) handle.close()
    handedOver.clear()
  })
}

function isHandle(value: unknown): value is Handle {
  return typeof value === 'object' && value !== null && 'close' in value && typeof value.close === 'function'
}
