import { clientKind } from './client-kind.ts'
import { type Document, type ReadDocuments, readDocuments } from './documents.ts'
import { isOutdated, type Kind, type PruneMode, type Workplace } from './kind.ts'
import { PlanError } from './plan-error.ts'
import type { KindName, PlannedChange } from './planned-change.ts'
import { changesContent, UnsoundDocument } from './planned-change.ts'
import { trustedIssuerKind } from './trusted-issuer-kind.ts'
import { userKind } from './user-kind.ts'

/** The limits for pruning. */
export interface Pruning {
  readonly mode: PruneMode
  /** The maximum share of all owned objects: a number or a percentage. */
  readonly most: { readonly unit: 'objects' | 'percent'; readonly value: number }
}

/** A planned change, and a way to plan it again. */
export interface PlanItem {
  readonly change: PlannedChange
  /** `null`: the object is pruned, or left unchanged, as planned. */
  readonly planAnew: (() => Promise<PlannedChange>) | null
}

/** Kinds in the order in which they are applied. */
const KINDS: Readonly<Record<KindName, Kind<object>>> = Object.freeze({
  // Each kind gets only the specs that it has parsed itself.
  Client: clientKind as unknown as Kind<object>,
  TrustedIssuer: trustedIssuerKind as unknown as Kind<object>,
  User: userKind as unknown as Kind<object>,
})

export const KIND_NAMES: readonly KindName[] = Object.freeze(['Client', 'TrustedIssuer', 'User'])

/** The number of concurrent look-ups. */
const LOOKED_UP_TOGETHER = 16

interface ReadSpec {
  readonly place: string
  readonly kind: Kind<object>
  readonly name: string
  readonly spec: object
}

/** Documents that are valid individually and together. */
export class Configuration {
  readonly #specs: readonly ReadSpec[]

  private constructor(specs: readonly ReadSpec[]) {
    this.#specs = specs
  }

  /** Reads the documents of files, directories and standard input; throws `PlanError`. */
  static async read(paths: readonly string[]): Promise<Configuration> {
    return Configuration.of(await readDocuments(paths))
  }

  static of({ documents, problems }: ReadDocuments): Configuration {
    const found = [...problems]
    const specs: ReadSpec[] = []
    for (const document of documents) {
      try {
        specs.push(specOf(document))
      } catch (error) {
        if (!(error instanceof UnsoundDocument)) throw error
        found.push(...error.problems.map((problem) => `${document.place}: ${problem}`))
      }
    }
    found.push(...duplicatesIn(specs))
    for (const name of KIND_NAMES) {
      const kind = KINDS[name]
      found.push(...kind.conflicts(specs.filter((each) => each.kind === kind)))
    }
    if (found.length > 0) throw new PlanError(found)
    return new Configuration(specs)
  }

  /**
   * The changes of applying the documents, in their order, followed by pruning. The server validates everything and
   * nothing is written. Throws `PlanError`.
   */
  async plan(workplace: Workplace, pruning: Pruning | null): Promise<readonly PlanItem[]> {
    if (pruning !== null && this.#specs.length === 0) {
      throw new PlanError(['there are no documents: pruning would leave nothing, and is refused'])
    }
    const problems: string[] = []
    const items: PlanItem[] = []
    for (let at = 0; at < this.#specs.length; at += LOOKED_UP_TOGETHER) {
      const together = this.#specs.slice(at, at + LOOKED_UP_TOGETHER)
      for (const planned of await Promise.all(together.map((each) => planItem(workplace, each)))) {
        if ('problems' in planned) problems.push(...planned.problems)
        else items.push(planned)
      }
    }
    if (problems.length > 0) throw new PlanError(problems)
    return pruning === null ? items : [...items, ...(await this.#pruned(workplace, pruning))]
  }

  /** Prunes only the kinds that have documents: a configuration of clients does not affect users. */
  async #pruned(workplace: Workplace, { mode, most }: Pruning): Promise<readonly PlanItem[]> {
    let total = 0
    const changes: PlannedChange[] = []
    for (const name of KIND_NAMES) {
      const kind = KINDS[name]
      const specs = this.#specs.filter((each) => each.kind === kind)
      if (specs.length === 0) continue
      const pruned = await kind.prune(workplace, new Set(specs.map((each) => each.name)), mode)
      total += pruned.owned
      changes.push(...pruned.changes)
    }
    const limit = most.unit === 'objects' ? most.value : Math.floor((total * most.value) / 100)
    const ended = changes.filter(({ action }) => action !== 'none')
    if (ended.length > limit) {
      const allowed = most.unit === 'objects' ? `${most.value}` : `${most.value} %`
      throw new PlanError([
        `pruning would ${mode} ${ended.length} of the ${total} objects of ${workplace.owner}, and ${allowed} are allowed: if that is meant, say --prune-max ${ended.length}`,
      ])
    }
    return changes.map((change) => ({ change, planAnew: null }))
  }
}

function specOf(document: Document): ReadSpec {
  const name = KIND_NAMES.find((each) => each === document.kind)
  if (name === undefined) throw new UnsoundDocument([`kind must be ${KIND_NAMES.join(' or ')}, not ${document.kind}`])
  const kind = KINDS[name]
  const spec = kind.read(document)
  return { place: document.place, kind, name: kind.nameOf(spec), spec }
}

function duplicatesIn(specs: readonly ReadSpec[]): readonly string[] {
  const places = new Map<string, string>()
  return specs.flatMap(({ place, kind, name }) => {
    const key = `${kind.name} ${name}`
    const first = places.get(key)
    if (first === undefined) places.set(key, place)
    return first === undefined ? [] : [`${place}: ${key} is also described in ${first}`]
  })
}

async function planItem(
  workplace: Workplace,
  { place, kind, name, spec }: ReadSpec,
): Promise<PlanItem | { readonly problems: readonly string[] }> {
  const planAnew = () => kind.plan(workplace, spec)
  try {
    return { change: await planAnew(), planAnew }
  } catch (error) {
    if (!(error instanceof UnsoundDocument)) throw error
    return { problems: error.problems.map((problem) => `${place}: ${kind.name} ${name}: ${problem}`) }
  }
}

/** The maximum number of times that a change is planned because of concurrent changes. */
const MAX_ATTEMPTS = 4

/** Applies a planned change. If another caller was faster, it is planned again. Returns the change that was made. */
export async function applyItem({ change, planAnew }: PlanItem): Promise<PlannedChange> {
  let current = change
  for (let attempt = 1; ; attempt += 1) {
    try {
      await current.apply()
      return current
    } catch (error) {
      if (planAnew === null || attempt === MAX_ATTEMPTS || !isOutdated(error)) throw error
      current = await planAnew()
    }
  }
}

/** Whether the documents differ from the server's state. */
export function differs(items: readonly PlanItem[]): boolean {
  return items.some(({ change }) => changesContent(change))
}
