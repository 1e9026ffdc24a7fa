import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Pages } from '../hooks/use-pages.ts'
import { RefusalNotice } from './refusal-notice.tsx'
import { ROW, visibleRows } from './visible-rows.ts'

export interface Column<T> {
  readonly title: string
  readonly cell: (item: T) => ComponentChildren
  /** Its share of the width; 1 if not given. */
  readonly grow?: number
  /** Left out where the window is narrow. */
  readonly optional?: boolean
}

interface VirtualTableProps<T> {
  /** What is in the table, for those who hear it. */
  readonly label: string
  readonly columns: readonly Column<T>[]
  readonly pages: Pages<T>
  readonly keyOf: (item: T) => string
  /** What is shown when there is nothing. */
  readonly empty: string
}

/** A table of any length, of which only the rows that are seen are in the document. Its end is read when it comes near. */
export function VirtualTable<T>({ label, columns, pages, keyOf, empty }: VirtualTableProps<T>) {
  const { items, hasMore, isLoading, refusal, loadMore, reload } = pages
  const scroller = useRef<HTMLDivElement>(null)
  const [view, setView] = useState({ top: 0, height: 0 })
  const measure = () => {
    const element = scroller.current
    if (element !== null) setView({ top: element.scrollTop, height: element.clientHeight })
  }
  const isEmpty = items.length === 0 && !isLoading
  // An empty table is lower.
  useLayoutEffect(measure, [isEmpty])
  useEffect(() => {
    addEventListener('resize', measure)
    return () => removeEventListener('resize', measure)
  }, [])
  const [from, to] = visibleRows(view.top, view.height, items.length)
  useEffect(() => {
    if (hasMore && to >= items.length) loadMore()
  }, [hasMore, to, items.length, loadMore])

  const hadFocus = scroller.current?.contains(document.activeElement) === true
  // A row that is scrolled out of view takes the focus with it, and keys would no longer scroll the table.
  useLayoutEffect(() => {
    if (hadFocus && document.activeElement === document.body) scroller.current?.focus({ preventScroll: true })
  })

  const cells = (row: (column: Column<T>) => ComponentChildren, isHead: boolean) =>
    columns.map((column, at) => (
      <div
        key={column.title}
        // What stands in the first column names the row.
        role={isHead ? 'columnheader' : at === 0 ? 'rowheader' : 'cell'}
        class={column.optional === true ? 'cell optional' : 'cell'}
        style={{ flexGrow: column.grow ?? 1 }}
      >
        {row(column)}
      </div>
    ))
  return (
    <>
      <RefusalNotice refusal={refusal} retry={reload} />
      <section
        class={`scroller${isEmpty ? ' empty' : ''}`}
        ref={scroller}
        onScroll={measure}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard (WCAG 2.1.1)
        tabIndex={0}
        aria-label={label}
      >
        {/* biome-ignore lint/a11y/useSemanticElements: rows of a table element cannot be placed */}
        <div role="table" aria-label={label} aria-rowcount={hasMore ? -1 : items.length + 1} aria-busy={isLoading}>
          {/* biome-ignore lint/a11y/useSemanticElements: as above */}
          <div role="rowgroup" class="head">
            {/* biome-ignore lint/a11y: as above */}
            <div role="row" class="row" aria-rowindex={1}>
              {cells(({ title }) => title, true)}
            </div>
          </div>
          {/* biome-ignore lint/a11y/useSemanticElements: as above */}
          <div role="rowgroup" class="rows" style={{ height: `${items.length * ROW}px` }}>
            {items.slice(from, to).map((item, at) => (
              // biome-ignore lint/a11y: as above
              <div
                key={keyOf(item)}
                role="row"
                class="row placed"
                aria-rowindex={from + at + 2}
                style={{ transform: `translateY(${(from + at) * ROW}px)` }}
              >
                {cells(({ cell }) => cell(item), false)}
              </div>
            ))}
          </div>
        </div>
      </section>
      <p class="quiet" role="status">
        {isLoading && 'Loading…'}
        {isEmpty && refusal === null && empty}
        {!isLoading && !isEmpty && countOf(pages)}
      </p>
    </>
  )
}

function countOf({ items, hasMore, isFull }: Pages<unknown>): string {
  const count = items.length.toLocaleString('en')
  if (isFull) return `${count} loaded, the most that this list shows. Narrow the filter to see others.`
  return hasMore ? `${count} loaded, there are more` : `${count} in all`
}
