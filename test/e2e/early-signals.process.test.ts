import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { temporaryDirectory, watched } from './process.ts'

const MAIN = resolve(import.meta.dirname, '..', '..', 'src', 'main.ts')
const { SIGHUP, SIGUSR1, SIGUSR2 } = constants.signals

/** The signals that a process has a handler for, from /proc. */
function caught(pid: number): bigint {
  const [, mask = '0'] =
    /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(join('/proc', String(pid), 'status'), 'utf8')) ?? []
  return BigInt(`0x${mask}`)
}

const holds = (mask: bigint, signal: number) => (mask & (1n << BigInt(signal - 1))) !== 0n

it('a server survives SIGHUP and SIGUSR2 while it is still loading', async () => {
  const directory = await temporaryDirectory()
  // Runs the file itself: its first line disables the debugger’s handler of SIGUSR1, so that ours is the first.
  const child = spawn(MAIN, ['serve'], {
    cwd: directory,
    env: {
      PATH: [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
      HOME: directory,
      QSCOPE_GRPC_LISTEN: '127.0.0.1:0',
    },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const server = watched(child)
  const pid = child.pid ?? 0
  // `main.ts` handles SIGUSR1 before it loads the rest.
  while (!holds(caught(pid), SIGUSR1)) await sleep(1)
  const mask = caught(pid)
  expect([SIGHUP, SIGUSR2].map((signal) => holds(mask, signal))).toEqual([true, true])
  expect(server.stdout).toBe('')
  child.kill('SIGHUP')
  child.kill('SIGUSR2')
  await server.until(/listens on (\S+)/)
  child.kill('SIGTERM')
  expect(await server.ended).toEqual({ code: 0, signal: null })
}, 180_000)
