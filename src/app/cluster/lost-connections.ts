import type { Worker } from 'node:cluster'

/** The internal messages that `node:cluster` sends with a connection and back (lib/internal/cluster in Node.js 24). */
interface Internal {
  readonly act?: unknown
  readonly seq?: unknown
  readonly ack?: unknown
}

interface Handle {
  close(): void
}

/**
 * Closes the connections that were being handed to a worker when it died. Node.js keeps
 * them open, but no process answers on them. Once they are closed, their callers
 * reconnect. If a later version of Node.js changes these messages, this class finds no
 * connections and does no harm.
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
