/**
 * The module of a thread beside the one at `of`. Sources run as they are, and compiled once packed: it is the
 * neighbour of the same kind.
 */
export function neighbour(of: string, name: string): URL {
  return new URL(`./${name}.${of.endsWith('.ts') ? 'ts' : 'js'}`, of)
}
