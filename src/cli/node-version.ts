import manifest from '../../package.json' with { type: 'json' }

const LEAST = Number.parseInt(manifest.engines.node.replace('>=', ''), 10)

/** Why QScope cannot run on a version of Node.js such as `v24.1.0`, in one line; `null` if it can. */
export function nodeVersionProblem(version: string): string | null {
  const major = Number.parseInt(version.replace('v', ''), 10)
  return major >= LEAST ? null : `QScope needs Node.js ${LEAST} or newer; this is ${version}`
}
