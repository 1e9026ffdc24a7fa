import { parseSync, Visitor } from 'rolldown/utils'

/** A comment that names a source file and declarations in it, and the block below it that shows them. */
const EXCERPT = /^<!-- source:(?<named>[^\n]*?)-->(?<block>\n+```ts\n.*?^```$)?/gms

interface Place {
  readonly start: number
  readonly end: number
}

/** The page with the text of the declarations that its markers name. Throws if one cannot be found. */
export function withExcerpts(page: string, sourceOf: (file: string) => string): string {
  return page.replaceAll(EXCERPT, (_, named: string, block: string | undefined) => {
    const [file = '', ...names] = named.trim().split(/\s+/)
    if (names.length === 0) throw new Error(`the marker "${named.trim()}" names no declaration`)
    if (block === undefined) throw new Error(`no block of TypeScript follows the marker "${named.trim()}"`)
    const source = sourceOf(file)
    const shown = names.map((name) => {
      const [place, ...others] = placesOf(source, name)
      if (place === undefined) throw new Error(`${file} declares no ${name}`)
      if (others.length > 0) throw new Error(`${file} declares ${name} more than once`)
      return textAt(source, place)
    })
    return [`<!-- source: ${file} ${names.join(' ')} -->`, '', '```ts', shown.join('\n\n'), '```'].join('\n')
  })
}

/** The top-level declarations with a name; if there are none, the methods and properties with it. */
function placesOf(source: string, name: string): readonly Place[] {
  const { program, errors } = parseSync('source.ts', source)
  if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join(', '))
  const declarations = program.body.filter((statement) => {
    const declaration = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement
    if (declaration === null) return false
    const declared = declaration.type === 'VariableDeclaration' ? declaration.declarations : [declaration]
    return declared.some((each) => 'id' in each && each.id?.type === 'Identifier' && each.id.name === name)
  })
  if (declarations.length > 0) return declarations
  const members: Place[] = []
  const take = (node: Place & { readonly key: { readonly type: string; readonly name?: unknown } }) => {
    if (node.key.type === 'Identifier' && node.key.name === name) members.push(node)
  }
  new Visitor({
    MethodDefinition: take,
    PropertyDefinition: take,
    Property: (node) => {
      if (!node.shorthand) take(node)
    },
  }).visit(program)
  return members
}

/** The text with the comma that ends it, indented like a declaration at the top level. */
function textAt(source: string, { start, end }: Place): string {
  const line = source.lastIndexOf('\n', start - 1) + 1
  const indent = /^ */.exec(source.slice(line, start))?.[0] ?? ''
  return source.slice(start, source[end] === ',' ? end + 1 : end).replaceAll(`\n${indent}`, '\n')
}
