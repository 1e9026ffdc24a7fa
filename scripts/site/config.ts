import { MINI_SEARCH } from './search.ts'
import { linkOnSite, pageOnSite } from './site-links.ts'
import { siteMap } from './site-map.ts'
import { slugOf } from './slug.ts'

/** What is used of markdown-it. */
interface Markdown {
  readonly core: { readonly ruler: { push(name: string, rule: (state: MarkdownState) => void): void } }
}

interface MarkdownState {
  readonly tokens: readonly MarkdownToken[]
  readonly env: { readonly relativePath: string }
}

interface MarkdownToken {
  readonly type: string
  readonly children: readonly MarkdownToken[] | null
  tag: string
  attrs: (readonly [name: string, value: string])[] | null
  attrGet(name: string): string | null
  attrSet(name: string, value: string): void
}

/** Pages become modules in docs/, from where Vite finds no package: on the server Vue is imported when the pages are rendered, in site/. */
const vueOfSite = {
  name: 'vue-of-site',
  enforce: 'pre',
  resolveId(source: string, _importer: string | undefined, { ssr }: { readonly ssr?: boolean }) {
    return ssr === true && /^vue(\/|$)/.test(source) ? { id: source, external: true } : null
  },
}

/** A browser loads nothing from another host, whatever a page or the theme asks for. The theme starts with inline scripts, and reads the functions of search.ts from text. */
const POLICY =
  "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"

/** The site of docs/, for VitePress: `npm run site`. */
export const config = {
  title: 'QScope',
  description: 'An internal OAuth 2.0 token service that speaks gRPC',
  lang: 'en',
  srcDir: '../docs',
  outDir: './dist',
  head: [['meta', { 'http-equiv': 'Content-Security-Policy', content: POLICY }]],
  rewrites: pageOnSite,
  markdown: {
    // What stands between < and > in the pages is a placeholder.
    html: false,
    anchor: { slugify: slugOf },
    languageAlias: { promql: 'txt' },
    config: (markdown: Markdown) => markdown.core.ruler.push('site-links', leadLinks),
  },
  vite: { plugins: [vueOfSite], build: { chunkSizeWarningLimit: 8_192 } },
  themeConfig: {
    outline: [2, 3],
    nav: [{ text: 'All pages', link: '/' }],
    sidebar: siteMap(),
    search: { provider: 'local', options: { miniSearch: MINI_SEARCH } },
  },
}

/** Links to pages lead to where the site has them; links to other files of the repository, which it does not have, become text. */
function leadLinks({ tokens, env }: MarkdownState): void {
  for (const { children } of tokens) {
    const open: (string | null)[] = []
    for (const token of children ?? []) {
      if (token.type === 'link_open') {
        const link = linkOnSite(env.relativePath, token.attrGet('href') ?? '')
        open.push(link)
        if (link === null) Object.assign(token, { type: 'span_open', tag: 'span', attrs: null })
        else token.attrSet('href', link)
      }
      if (token.type === 'link_close' && open.pop() === null) Object.assign(token, { type: 'span_close', tag: 'span' })
    }
  }
}
