import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt'
import type { ComponentChildren } from 'preact'

/** A moment, in the reader's own time zone. */
export function Time({ of, none = '–' }: { readonly of: Timestamp | undefined; readonly none?: string }) {
  if (of === undefined) return <>{none}</>
  const date = timestampDate(of)
  return (
    <time dateTime={date.toISOString()} title={date.toISOString()}>
      {momentOf(date)}
    </time>
  )
}

/** When something was done, and who did it. */
export function Moment({ time, by }: { readonly time: Timestamp | undefined; readonly by: string }) {
  return (
    <>
      <Time of={time} /> by <code>{by}</code>
    </>
  )
}

/** `2026-12-02 14:05:09`, by the clock on the reader's wall. */
export function momentOf(date: Date): string {
  const pad = (part: number) => String(part).padStart(2, '0')
  const day = [date.getFullYear(), pad(date.getMonth() + 1), pad(date.getDate())].join('-')
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(pad).join(':')}`
}

/** A state in a word. `tone` colours it; the word says it. */
export function Badge({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>
}
export type Tone = 'good' | 'warning' | 'bad' | 'plain'

/** Names and what stands for them. */
export function Facts({ of }: { readonly of: readonly (readonly [name: string, value: ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

/** Values one after the other, as code. */
export function Values({ of, none = 'none' }: { readonly of: readonly string[]; readonly none?: string }) {
  if (of.length === 0) return <span class="quiet">{none}</span>
  return (
    <span class="values">
      {of.map((value) => (
        <code key={value}>{value}</code>
      ))}
    </span>
  )
}
