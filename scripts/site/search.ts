/**
 * How MiniSearch indexes and searches the sections of the site's pages: one for the build, the browser and the tests.
 * The functions travel to the browser as text, so that each needs nothing but itself.
 */
export const MINI_SEARCH = {
  options: {
    /** Words that name no subject are left out, of pages and of questions. */
    processTerm: (term: string): string | null => {
      const word = term.toLowerCase()
      return /^(an?|and|are|at|by|do|does|for|from|how|i|in|is|it|my|of|on|or|set|the|to|up|what|when|where|which|why|with)$/.test(
        word,
      )
        ? null
        : word
    },
  },
  searchOptions: {
    fuzzy: 0.2,
    prefix: true,
    boost: { title: 4, text: 2, titles: 2 },
    /** Records of decisions and tables of tests stand behind the pages for users. */
    boostDocument: (id: string): number => (/^\/(decisions|conformance|testing|reference)/.test(id) ? 0.4 : 1),
  },
} as const
