import { accessSync, constants, lstatSync, type Stats, statSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'

/** What lies at the path of a Unix domain socket. */
export type SocketPath =
  | { readonly state: 'free' }
  /** A socket that nobody answers: its server ended without removing it. */
  | { readonly state: 'stale'; readonly file: Stats }
  /** A server answers. */
  | { readonly state: 'taken' }
  /** `problem` and `remedy` are clauses. */
  | { readonly state: 'unusable'; readonly problem: string; readonly remedy: string }

/** Looks at a path without changing anything. A socket is asked: the connection is closed at once. */
export async function inspectSocketPath(path: string): Promise<SocketPath> {
  const unusable = directoryProblem(dirname(path))
  if (unusable !== null) return unusable
  const file = lstatSync(path, { throwIfNoEntry: false })
  if (file === undefined) return { state: 'free' }
  if (!file.isSocket()) {
    const remedy = 'QScope replaces sockets only: move the file away, or choose another path'
    return { state: 'unusable', problem: `${path} is not a socket`, remedy }
  }
  const code = await connectionError(path)
  switch (code) {
    case 'ECONNREFUSED':
      return { state: 'stale', file }
    case 'ENOENT':
      return { state: 'free' }
    // The queue of a server that accepts no connections is full: it is busy, not gone.
    case 'EAGAIN':
    case null:
      return { state: 'taken' }
    default:
      return {
        state: 'unusable',
        problem: `it is unknown whether a server answers at ${path} (${code})`,
        remedy: 'let the user of QScope connect to it, or remove it if its server is gone',
      }
  }
}

/**
 * Makes the path of a socket free: removes a socket that nobody answers, and no other file. Throws an error of one line if
 * nobody can listen there.
 */
export async function claimSocketPath(path: string): Promise<void> {
  const found = await inspectSocketPath(path)
  switch (found.state) {
    case 'free':
      return
    case 'stale': {
      // Another server may have replaced it meanwhile.
      const now = lstatSync(path, { throwIfNoEntry: false })
      if (now !== undefined && isSame(now, found.file)) unlinkSync(path)
      return
    }
    case 'taken':
      throw new Error(`a server already answers at ${path}; stop it, or choose another path`)
    case 'unusable':
      throw new Error(`${found.problem}; ${found.remedy}`)
    default:
      found satisfies never
  }
}

function directoryProblem(directory: string): SocketPath | null {
  const found = statSync(directory, { throwIfNoEntry: false })
  if (found === undefined) {
    const remedy = 'create it for the user of QScope and the group of those who may connect'
    return { state: 'unusable', problem: `the directory ${directory} does not exist`, remedy }
  }
  if (!found.isDirectory()) {
    return { state: 'unusable', problem: `${directory} is not a directory`, remedy: 'choose another path' }
  }
  try {
    accessSync(directory, constants.W_OK | constants.X_OK)
    return null
  } catch {
    const remedy = 'let the user of QScope create files in it'
    return { state: 'unusable', problem: `the directory ${directory} cannot be written`, remedy }
  }
}

/** The code of the operating system's error; `null`: a server accepted the connection. */
function connectionError(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(null)
    })
    socket.once('error', ({ code = 'unknown error' }: NodeJS.ErrnoException) => resolve(code))
  })
}

/** The number of a removed file may be used again. */
function isSame(one: Stats, other: Stats): boolean {
  return one.dev === other.dev && one.ino === other.ino && one.ctimeMs === other.ctimeMs
}
