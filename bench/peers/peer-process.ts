import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { NotAvailable } from '../not-available.ts'

export interface PeerProcess {
  readonly port: number
  readonly pid: number
  stop(): Promise<void>
}

/** A peer's message when it listens, or why it cannot. */
export type PeerMessage = { readonly port: number } | { readonly unavailable: string }

/** Starts a server for comparison in its own process. Throws `NotAvailable`. */
export async function startPeer(file: string, args: readonly string[] = []): Promise<PeerProcess> {
  const child = fork(join(import.meta.dirname, file), args, {
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const message = await firstMessage(child, file)
  if ('unavailable' in message) throw new NotAvailable(message.unavailable)
  return {
    port: message.port,
    pid: child.pid ?? 0,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve())
        child.kill('SIGKILL')
      }),
  }
}

function firstMessage(child: ChildProcess, file: string): Promise<PeerMessage> {
  return new Promise((resolve, reject) => {
    child.once('message', (message: PeerMessage) => resolve(message))
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)))
  })
}
