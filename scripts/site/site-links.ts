import { posix } from 'node:path'

/** Where a page of docs/ is on the site: the index of a folder is called `README.md` by Git hosts and `index.md` by web servers. */
export function pageOnSite(page: string): string {
  return page.replace(/(^|\/)README\.md$/, '$1index.md')
}

/**
 * Where a link of a page leads on the site; `null` for a file of the repository that the site does not have.
 *
 * @param page The page's path below docs/.
 * @param href As written in the page.
 */
export function linkOnSite(page: string, href: string): string | null {
  if (/^[a-z]+:/i.test(href) || href.startsWith('#')) return href
  const [path = '', anchor] = href.split('#')
  const target = posix.join(posix.dirname(page), path)
  if (target.startsWith('..')) return null
  // A folder, such as `decisions/`.
  const file = posix.extname(target) === '' ? posix.join(target, 'README.md') : target
  if (!file.endsWith('.md')) return null
  const url = `/${pageOnSite(file)}`
  return anchor === undefined ? url : `${url}#${anchor}`
}
