import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { linkOnSite } from './site-links.ts'

const MAP = join(import.meta.dirname, '..', '..', 'docs', 'README.md')

/** A group of the site's menu. */
export interface SiteGroup {
  readonly text: string
  readonly items: readonly SiteLink[]
}

export interface SiteLink {
  readonly text: string
  readonly link: string
}

/** The pages by reader, as docs/README.md sorts them: a heading is a group, the first column of its table names the pages. */
export function siteMap(): readonly SiteGroup[] {
  return readFileSync(MAP, 'utf8')
    .split(/^## /m)
    .slice(1)
    .map((section) => ({
      text: section.slice(0, section.indexOf('\n')),
      items: [...section.matchAll(/^\| (\[.*?) \|/gm)].flatMap(([, cell = '']) => linksOf(cell)),
    }))
    .filter(({ items }) => items.length > 0)
}

function linksOf(cell: string): readonly SiteLink[] {
  return [...cell.matchAll(/\[([^\]]*)\]\(([^)]*)\)/g)].flatMap(([, text = '', href = '']) => {
    const link = linkOnSite('README.md', href)
    return link === null ? [] : [{ text, link: link.replace(/\.md(?=#|$)/, '') }]
  })
}
