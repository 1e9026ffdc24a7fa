import { clientKind } from './client-kind.ts'
import { type Document, type ReadDocuments, readDocuments } from './documents.ts'
import { isOutdated, type Kind, type PruneMode, type Workplace } from './kind.ts'
import { PlanError } from './plan-error.ts'
import type { KindName, PlannedChange } from './planned-change.ts'
import { changesContent, UnsoundDocument } from './planned-change.ts'
import { trustedIssuerKind } from './trusted-issuer-kind.ts'
import { userKind } from './user-kind.ts'

/** How much may go that no document describes any more. */
export interface Pruning {
  readonly mode: PruneMode
  /** Of all that is owned: a number of objects, or a percentage of them. */
  readonly most: { readonly unit: 'objects' | 'percent'; readonly value: number }
}

/** What a document or an object is to become, and how that is found out once more. */
export interface PlanItem {
  readonly change: PlannedChange
  /** `null`: it is pruned, or left alone, as it was found. */
  readonly planAnew: (() => Promise<PlannedChange>) | null
}

/** Kinds in the order in which what they describe is brought about. */
const KINDS: Readonly<Record<KindName, Kind<object>>> = Object.freeze({
  // What one kind reads of a document, it alone is given again.
  Client: clientKind as unknown as Kind<object>,
  TrustedIssuer: trustedIssuerKind as unknown as Kind<object>,
  User: userKind as unknown as Kind<object>,
})

export const KIND_NAMES: readonly KindName[] = Object.freeze(['Client', 'TrustedIssuer', 'User'])

/** So many documents are looked up at once. */
const LOOKED_UP_TOGETHER = 16

interface ReadSpec {
  readonly place: string
  readonly kind: Kind<object>
  readonly name: string
  readonly spec: object
}

/** Documents that are sound by themselves and beside each other. */
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
   * What applying the documents would change, in their order, and what would be
   * pruned after that. Has the server validate all of it and writes nothing; throws
   * `PlanError`.
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

  /** Looks at the kinds that there are documents of: a configuration of clients says nothing about users. */
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
    return first === undefined ? [] : [`${place}: ${key} is described in ${first}, too`]
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

/** How often a change is planned anew because others change the same. */
const MAX_ATTEMPTS = 4

/** Brings a planned change about; one that somebody else was faster with is planned anew. Answers what was done. */
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

/** Whether the documents say otherwise than the server. */
export function differs(items: readonly PlanItem[]): boolean {
  return items.some(({ change }) => changesContent(change))
}
