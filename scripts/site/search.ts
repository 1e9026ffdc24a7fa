/**
 * How MiniSearch indexes and searches the sections of the site's pages: one for the build, the browser and the tests.
 * The functions travel to the browser as text, so that each needs nothing but itself.
 */
export const MINI_SEARCH = {
  options: {
    /** Words that name no subject are left out, of pages and of questions; `upgrading` and `upgrades` are found by `upgrade`. */
    processTerm: (term: string): readonly string[] | null => {
      const word = term.toLowerCase()
      const isFiller =
        /^(an?|and|are|at|by|do|does|for|from|how|i|in|is|it|my|of|on|or|set|the|to|up|when|where|which|with)$/
      const stem = word.replace(/(?<=^\p{L}{4,})(ings?|ed|es|e|s)$/u, '')
      return isFiller.test(word) ? null : stem === word ? [word] : [word, stem]
    },
  },
  searchOptions: {
    fuzzy: 0.2,
    prefix: true,
    boost: { title: 6, text: 2, titles: 2 },
    /** A page's own beginning stands before its sections; pages for those who work on QScope, and lists of pages, behind all. */
    boostDocument: (id: string, _term: string, { titles }: { readonly titles: readonly string[] }): number =>
      (/^\/(#|$|architecture|benchmarks|conformance|decisions|reference|testing|transport)/.test(id) ? 0.4 : 1) *
      (titles.length === 0 ? 1.5 : 1),
  },
} as const
