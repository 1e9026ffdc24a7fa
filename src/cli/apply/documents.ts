import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { JsonObject } from '@bufbuild/protobuf'
import { isScalar, isSeq, LineCounter, type ParsedNode, parseAllDocuments, type Document as YamlDocument } from 'yaml'
import { whyUnreadable } from '../../config/quoted.ts'
import { isObject } from '../../json-object.ts'
import { messageOf } from '../../message-of.ts'
import { UsageError } from '../options/options.ts'

const STANDARD_INPUT = '-'
const EXTENSIONS: ReadonlySet<string> = new Set(['.yaml', '.yml', '.json'])
/** Aliases can be nested, so a few lines could expand beyond the available memory. */
const MAX_ALIASES = 100
const MEMBERS: ReadonlySet<string> = new Set(['kind', 'spec'])

/** A document as written. Its kind parses the spec. */
export interface Document {
  /** Such as `clients/orders.yaml:12`. */
  readonly place: string
  readonly kind: string
  readonly spec: JsonObject
}

/** The documents that were read, and the problems of the others. */
export interface ReadDocuments {
  readonly documents: readonly Document[]
  /** One line each, with the place. */
  readonly problems: readonly string[]
}

/**
 * Reads documents in YAML or JSON from files, directories (not recursively), or standard input (`-`). A document is `{
 * kind, spec }`; a list contains several. Throws `UsageError` if a path cannot be read.
 */
export async function readDocuments(paths: readonly string[]): Promise<ReadDocuments> {
  const documents: Document[] = []
  const problems: string[] = []
  for (const path of paths.flatMap(filesOf)) {
    const read =
      path === STANDARD_INPUT
        ? parseDocuments('standard input', await text(process.stdin))
        : parseDocuments(
            path,
            attempt(path, () => readFileSync(path, 'utf8')),
          )
    documents.push(...read.documents)
    problems.push(...read.problems)
  }
  return { documents, problems }
}

function filesOf(path: string): readonly string[] {
  if (path === STANDARD_INPUT) return [path]
  return attempt(path, () => {
    if (!lstatSync(path).isDirectory()) return [path]
    const names = readdirSync(path).filter((name) => !name.startsWith('.') && EXTENSIONS.has(extname(name)))
    return names.toSorted().map((name) => join(path, name))
  })
}

function attempt<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${whyUnreadable(error)}`)
  }
}

/** Parses the documents of one text. `name` is the text's name in places. */
export function parseDocuments(name: string, source: string): ReadDocuments {
  const lineCounter = new LineCounter()
  const placeAt = (offset: number) => `${name}:${lineCounter.linePos(offset).line}`
  const documents: Document[] = []
  const problems: string[] = []
  for (const parsed of parseAllDocuments<ParsedNode>(source, { lineCounter, prettyErrors: false })) {
    if (!('contents' in parsed)) continue
    const { contents } = parsed
    const [broken] = [...parsed.errors, ...parsed.warnings]
    if (broken !== undefined) {
      problems.push(`${placeAt(broken.pos[0])}: ${broken.message}`)
      continue
    }
    // An empty document between two separator lines.
    if (contents === null || (isScalar(contents) && contents.value === null)) continue
    for (const node of isSeq(contents) ? contents.items : [contents]) {
      const place = placeAt(node.range[0])
      const read = documentOf(place, node, parsed)
      if (typeof read === 'string') problems.push(`${place}: ${read}`)
      else documents.push(read)
    }
  }
  return { documents, problems }
}

/** The document, or the problem with it. */
function documentOf(place: string, node: ParsedNode, whole: YamlDocument): Document | string {
  let value: unknown
  try {
    // YAML values that JSON lacks, such as infinity, are not allowed.
    value = JSON.parse(JSON.stringify(node.toJS(whole, { maxAliasCount: MAX_ALIASES })))
  } catch (error) {
    return messageOf(error)
  }
  if (!isObject(value)) return 'a document is { kind, spec }'
  const unknown = Object.keys(value).filter((member) => !MEMBERS.has(member))
  if (unknown.length > 0) return `a document has kind and spec, and no ${unknown.join(', ')}`
  const { kind, spec } = value
  if (typeof kind !== 'string') return 'kind is missing'
  // It was parsed as JSON.
  return isObject(spec) ? { place, kind, spec: spec as JsonObject } : 'spec is missing, or not an object'
}
