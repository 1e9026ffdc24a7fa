import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { Variable } from '../../src/config/variable.ts'
import { CLIENT_VARIABLES, VARIABLES } from '../../src/config/variables.ts'

export const ROOT = resolve(import.meta.dirname, '..', '..')

/** A node of parsed YAML. A schema or a test checks its shape. */
export type Node = Readonly<Record<string, unknown>>

/** Parses YAML; throws at the first error. Kubernetes reads 1.1, with its octal modes, Compose 1.2 with merge keys. */
export function documentsOf(text: string, version: '1.1' | '1.2' = '1.1'): readonly Node[] {
  return parseAllDocuments(text, { version, merge: true }).map((document) => {
    const [error] = document.errors
    if (error !== undefined) throw error
    return nodeOf(document.toJS())
  })
}

export function documentsIn(folder: string): readonly Node[] {
  const files = readdirSync(join(ROOT, folder)).filter(
    (file) => file.endsWith('.yaml') && file !== 'kustomization.yaml',
  )
  return files.flatMap((file) => documentsOf(readFileSync(join(ROOT, folder, file), 'utf8')))
}

/** A Compose file, parsed without `!override`, which is a tag of Compose only. */
export function composeFile(file: string): Node {
  return nodeOf(documentsOf(readFileSync(join(ROOT, file), 'utf8').replace('!override', ''), '1.2')[0])
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The member at a path; throws if there is none. */
export function at(node: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce((value, name) => {
    const inner = Array.isArray(value) ? value[Number(name)] : isNode(value) ? value[name] : undefined
    if (inner === undefined) throw new Error(`nothing at ${path.join('.')}`)
    return inner
  }, node)
}

export function nodeOf(value: unknown): Node {
  if (!isNode(value)) throw new Error(`no mapping: ${JSON.stringify(value)}`)
  return value
}

/** The mappings of a list; empty if there is no list. */
export function nodesOf(value: unknown): readonly Node[] {
  return Array.isArray(value) ? value.map(nodeOf) : []
}

/** Whether QScope reads the variable, or a secret from the file that the variable names. */
export function isKnownVariable(name: string): boolean {
  const known: Readonly<Record<string, Variable>> = { ...VARIABLES, ...CLIENT_VARIABLES }
  return name in known || known[name.replace(/_FILE$/, '')]?.secret === true
}
