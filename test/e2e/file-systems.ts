import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { missing } from '../setup/requirement.ts'
import { temporaryDirectory } from './process.ts'

/**
 * Permissions do not restrict root, or a process that has a file open
 * already, but a read-only or full file system and the attribute
 * `immutable` do. Both need privileges that an ordinary container lacks.
 */
export const canMount = works('mount', (directory) => {
  mount(directory, '1m')
  unmount(directory)
})
export const canFreeze = works('immutable', (directory) => {
  const file = join(directory, 'file')
  writeFileSync(file, 'held open')
  freeze([file])()
})

/** A new file system that is small enough to fill; removed when the test ends. */
export async function smallFileSystem(size: string): Promise<string> {
  const directory = join(await temporaryDirectory(), 'small')
  mkdirSync(directory)
  mount(directory, size)
  onTestFinished(() => unmount(directory))
  return directory
}

/** Requires that no file on it is open for writing. */
export function makeReadOnly(directory: string): void {
  quietly('mount', ['-o', 'remount,ro', directory])
}

let fillers = 0

/** Writes a number of bytes, or until the disk is full; the returned function frees the space. */
export function fill(directory: string, bytes: number | null = null): () => void {
  fillers += 1
  const file = join(directory, `filler-${fillers}`)
  const descriptor = openSync(file, 'w')
  if (bytes !== null) {
    writeSync(descriptor, Buffer.alloc(bytes))
    closeSync(descriptor)
    return () => rmSync(file)
  }
  for (const size of [65_536, 4_096, 1]) {
    try {
      while (true) writeSync(descriptor, Buffer.alloc(size))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
    }
  }
  closeSync(descriptor)
  return () => rmSync(file)
}

/** Makes files read-only, also for root and for processes that have them open; returns a function that undoes it once. */
export function freeze(files: readonly string[]): () => void {
  let frozen = true
  const thaw = () => {
    if (frozen) quietly('chattr', ['-i', ...files])
    frozen = false
  }
  quietly('chattr', ['+i', ...files])
  return thaw
}

function mount(directory: string, size: string): void {
  quietly('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'qscope-test', directory])
}

/** Unmounts lazily, since a process that was just killed may still have a file open. */
function unmount(directory: string): void {
  quietly('umount', ['-l', directory])
}

function quietly(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: 'pipe' })
}

/** Whether this machine allows it; if not, reports what is missing. */
function works(name: string, attempt: (directory: string) => void): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'qscope-e2e-'))
  try {
    attempt(directory)
    return true
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n', 2).join(' ') : String(error)
    missing(name, `the faults that need "${name}" (root with its capabilities)`, why, error)
    return false
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
