/** A Unix domain socket to listen at. */
export interface UnixSocket {
  /** Absolute. */
  readonly path: string
  /** The permissions of its file. Whoever may write to the file may connect. */
  readonly mode: number
}

const SCHEME = 'unix:'

/**
 * The name of a socket, in the syntax of gRPC (https://grpc.github.io/grpc/core/md_doc_naming.html). All peers of a socket
 * have it for their address: they have none of their own. No IP address begins so.
 */
export function socketName(path: string): string {
  return SCHEME + path
}

/** Whether a peer came through a Unix domain socket, or a name is one of such a socket. */
export function isSocketName(peer: string): boolean {
  return peer.startsWith(SCHEME)
}

/** Of a name that `isSocketName`. */
export function socketPath(name: string): string {
  return name.slice(SCHEME.length)
}

/** The size of `sun_path` on Linux (unix(7)), without the NUL that ends it, in bytes. */
export const LONGEST_SOCKET_PATH = 107

/**
 * What is wrong with the path of a socket, as the end of a sentence; `null`: nothing. A path has one spelling, and none of
 * the characters that separate names in a list.
 */
export function socketPathProblem(path: string): string | null {
  if (!path.startsWith('/')) return 'is not absolute'
  if (/[\s,\p{C}]/u.test(path)) return 'has white space, a comma or a character that cannot be shown'
  if (/\/(?:\.{0,2})(?=\/|$)/.test(path)) return 'has an empty part, or a part that is . or ..'
  return Buffer.byteLength(path) > LONGEST_SOCKET_PATH ? `is longer than ${LONGEST_SOCKET_PATH} bytes` : null
}
