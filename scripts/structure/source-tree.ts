import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

/** An import or re-export of a file, as it is written. */
export interface Import {
  readonly specifier: string
  readonly typeOnly: boolean
}

/** Something that a module holds for as long as the process lives. */
export interface ModuleState {
  readonly file: string
  readonly name: string
}

const IMPORT = /^(?:import|export)\s([^'";]*?from\s+)?'([^']+)'/gm
/** At the top of a module: a `let`, a collection that begins empty, and an instance of a class that is not known to be immutable. */
const STATE =
  /^(?:export )?(?:let (\w+)|const (\w+)\b(?!: Readonly)[^=\n]*= new (?!(?:RegExp|URL|TextDecoder|TextEncoder|Uint8Array|Int32Array|BlockList)\b|(?:Map|Set)(?:<[^\n]*>)?\([^)]))/gm

/** The TypeScript files below a folder, without generated ones, and how they depend on each other. */
export class SourceTree {
  readonly root: string
  /** Relative to the root, in order. */
  readonly files: readonly string[]
  readonly #known: ReadonlySet<string>
  readonly #texts = new Map<string, string>()

  constructor(root: string) {
    this.root = root
    this.files = readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.startsWith('gen/'))
      .toSorted()
    this.#known = new Set(this.files)
  }

  textOf(file: string): string {
    const text = this.#texts.get(file) ?? readFileSync(join(this.root, file), 'utf8')
    this.#texts.set(file, text)
    return text
  }

  linesOf(file: string): number {
    return this.textOf(file).split('\n').length - 1
  }

  importsOf(file: string): readonly Import[] {
    return [...this.textOf(file).matchAll(IMPORT)].map(([statement, , specifier = '']) => ({
      typeOnly: /^(?:import|export) type\b/.test(statement),
      specifier,
    }))
  }

  /** What a file imports of the tree, generated files among it. */
  importsWithin(file: string): readonly { readonly target: string; readonly typeOnly: boolean }[] {
    return this.importsOf(file)
      .filter(({ specifier }) => specifier.startsWith('.'))
      .map(({ specifier, typeOnly }) => ({
        target: relative(this.root, resolve(this.root, dirname(file), specifier)),
        typeOnly,
      }))
      .filter(({ target }) => !target.startsWith('..'))
  }

  /** The files of the tree that a file imports. */
  dependenciesOf(file: string): readonly string[] {
    return this.importsWithin(file).flatMap(({ target }) => (this.#known.has(target) ? target : []))
  }

  /** Files that import each other, directly or through others (Tarjan's strongly connected components). */
  fileCycles(): readonly (readonly string[])[] {
    const index = new Map<string, number>()
    const low = new Map<string, number>()
    const stack: string[] = []
    const cycles: string[][] = []
    const visit = (file: string): number => {
      const own = index.size
      let lowest = own
      index.set(file, own)
      low.set(file, own)
      stack.push(file)
      for (const next of this.dependenciesOf(file)) {
        if (!index.has(next)) lowest = Math.min(lowest, visit(next))
        else if (stack.includes(next)) lowest = Math.min(lowest, index.get(next) ?? own)
      }
      low.set(file, lowest)
      if (lowest === own) {
        const component = stack.splice(stack.indexOf(file))
        if (component.length > 1) cycles.push(component.toSorted())
      }
      return lowest
    }
    for (const file of this.files) if (!index.has(file)) visit(file)
    return cycles
  }

  /** Pairs of folders that import each other. A file directly in the root stands for itself. */
  mutualFolders(): readonly string[] {
    const edges = new Set<string>()
    for (const file of this.files) {
      for (const target of this.dependenciesOf(file)) {
        const [from, to] = [folderOf(file), folderOf(target)]
        if (from !== to) edges.add(`${from} ${to}`)
      }
    }
    return [...edges]
      .map((edge) => edge.split(' '))
      .filter(([from = '', to = '']) => from < to && edges.has(`${to} ${from}`))
      .map(([from, to]) => `${from} <-> ${to}`)
      .toSorted()
  }

  moduleState(): readonly ModuleState[] {
    return this.files.flatMap((file) =>
      [...this.textOf(file).matchAll(STATE)].map(([, variable, collection]) => ({
        file,
        name: variable ?? collection ?? '',
      })),
    )
  }
}

/** Code without its comments and texts, so that what is left of its words are identifiers. */
export function identifiersOf(text: string): string {
  return text
    .replaceAll(/\/\*.*?\*\//gs, ' ')
    .replaceAll(/\/\/[^\n]*/g, ' ')
    .replaceAll(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`[^`$]*`/g, ' ')
}

function folderOf(file: string): string {
  return dirname(file) === '.' ? file : dirname(file)
}
