import { success } from '../results.ts'
import type { PageRequest } from '../stores/contract/context.ts'
import { condition, given } from './condition.ts'
import { cutPage, type ListRequest, oneMore, type Page, pageTokenIsOfThisList } from './conditions/paging.ts'
import type { FlowContext } from './context.ts'
import { defineFlow } from './flow.ts'

/** A flow that returns one page of a list: the lists differ in what they read and by which key they go on. */
export function definePagedList<Filter extends object, Item>(list: {
  readonly name: string
  readonly read: (ctx: FlowContext, filter: Filter, page: PageRequest<string>) => Promise<readonly Item[]>
  readonly keyOf: (item: Item) => string
  /** Leaves items out of a page after it was cut, so that it may come out shorter. */
  readonly keep?: (item: Item, filter: Filter) => boolean
}) {
  const pageIsRead = condition<
    ListRequest<Filter> & { readonly page: PageRequest<string> },
    { readonly read: readonly Item[] }
  >('pageIsRead', async (ctx, { filter, page }) => success({ read: await list.read(ctx, filter, oneMore(page)) }))

  return defineFlow({
    name: list.name,
    lane: 'read',
    preconditions: given<ListRequest<Filter>>().and(pageTokenIsOfThisList(list.name)).and(pageIsRead),
    run: (ctx, facts): Page<Item> => {
      const page = cutPage(ctx, list.name, facts, facts.read, list.keyOf)
      const { keep } = list
      return keep === undefined ? page : { ...page, items: page.items.filter((item) => keep(item, facts.filter)) }
    },
    postconditions: [],
  })
}
