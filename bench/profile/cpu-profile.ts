/** The used parts of the output of `--cpu-prof` (Chrome DevTools Protocol, `Profiler.Profile`). */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  /** Microseconds of the monotonic clock. */
  readonly startTime: number
  /** The node of each sample, and the time since the previous one. */
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

export interface SelfTime {
  readonly name: string
  readonly module: string
  readonly microseconds: number
}

/** The self time of each function in a span of the monotonic clock, the longest first, without idle time. */
export function selfTimes(profile: CpuProfile, from: number, until: number): readonly SelfTime[] {
  const functions = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]))
  const times = new Map<string, SelfTime>()
  let at = profile.startTime
  for (const [index, id] of profile.samples.entries()) {
    const delta = profile.timeDeltas[index] ?? 0
    at += delta
    const frame = functions.get(id)
    if (frame === undefined || at < from || at > until || frame.functionName === '(idle)') continue
    const module = moduleOf(frame.url)
    const name = `${frame.functionName || '(anonymous)'} ${placeOf(frame.url, frame.lineNumber)}`.trim()
    const known = times.get(name)
    times.set(name, { name, module, microseconds: (known?.microseconds ?? 0) + delta })
  }
  return [...times.values()].toSorted((a, b) => b.microseconds - a.microseconds)
}

/** A package, Node itself, a layer of QScope, or the engine. */
function moduleOf(url: string): string {
  if (url === '') return '(engine)'
  if (url.startsWith('node:')) return 'node'
  const [, package_] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url) ?? []
  if (package_ !== undefined) return package_
  const [, layer] = /\/(?:dist|src)\/([^/]+)/.exec(url) ?? []
  return layer === undefined ? '(other)' : `qscope ${layer.replace(/\.[jt]s$/, '')}`
}

function placeOf(url: string, line: number): string {
  const [, path = url] = /\/((?:dist|src)\/.*|node_modules\/.*)$/.exec(url) ?? []
  return url === '' ? '' : `${path.replace(/^node_modules\//, '')}:${line + 1}`
}
