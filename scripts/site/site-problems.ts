import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'

/** What a page of HTML refers to. */
const REFERENCE = /<(?<element>[a-z]+)\b[^>]*?\s(?:href|src)="(?<target>[^"]*)"/g
const OUTSIDE = /^(?:[a-z]+:)?\/\//i

/**
 * What is wrong with a built site, a line each: links that lead to no page or no heading of it, and files of other hosts that a page loads.
 *
 * @param folder The site's root.
 */
export function siteProblems(folder: string): readonly string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const pages = new Map(
    files.filter((name) => name.endsWith('.html')).map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  )
  const there = new Set(files)
  const anchors = new Map([...pages].map(([name, html]) => [name, idsOf(html)]))
  const styles = files.filter((name) => name.endsWith('.css'))
  return [
    ...[...pages].flatMap(([name, html]) =>
      referencesOf(html).flatMap(({ element, target }) => {
        if (OUTSIDE.test(target)) return element === 'a' ? [] : [`${name} loads ${target}`]
        if (/^(?:data|mailto):/.test(target)) return []
        const [path = '', anchor] = target.split('#')
        const file = fileOf(name, decodeURI(path))
        if (!there.has(file)) return [`${name} links to ${target}, which does not exist`]
        const missing = anchor !== undefined && anchor !== '' && !anchors.get(file)?.has(decodeURIComponent(anchor))
        return missing ? [`${name} links to ${target}, which has no such heading`] : []
      }),
    ),
    ...styles.flatMap((name) =>
      [...readFileSync(join(folder, name), 'utf8').matchAll(/url\(["']?((?:https?:)?\/\/[^)"']*)/g)].map(
        ([, target]) => `${name} loads ${target}`,
      ),
    ),
  ]
}

/** The file that answers a path, as web servers do. */
function fileOf(page: string, path: string): string {
  if (path === '') return page
  const file = path.startsWith('/') ? path.slice(1) : posix.join(posix.dirname(page), path)
  return file === '' || file.endsWith('/') ? `${file}index.html` : file
}

function referencesOf(html: string): readonly { readonly element: string; readonly target: string }[] {
  return [...html.matchAll(REFERENCE)].map(({ groups }) => ({
    element: groups?.['element'] ?? '',
    target: (groups?.['target'] ?? '').replaceAll('&amp;', '&'),
  }))
}

function idsOf(html: string): ReadonlySet<string> {
  return new Set([...html.matchAll(/\sid="([^"]+)"/g)].map(([, id = '']) => id))
}
