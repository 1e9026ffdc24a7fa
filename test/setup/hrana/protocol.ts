/** The messages of "Hrana over HTTP", version 3, in JSON: https://github.com/tursodatabase/libsql/blob/main/docs/HRANA_3_SPEC.md */
import { z } from 'zod'

const value = z.discriminatedUnion('type', [
  z.object({ type: z.literal('null') }),
  z.object({ type: z.literal('integer'), value: z.string().regex(/^-?\d{1,19}$/) }),
  z.object({ type: z.literal('float'), value: z.number() }),
  z.object({ type: z.literal('text'), value: z.string() }),
  z.object({ type: z.literal('blob'), base64: z.string() }),
])
export type Value = z.infer<typeof value>

/** The text of a statement, or the number of a stored one. */
const sqlText = { sql: z.string().nullish(), sql_id: z.int().nullish() }

const stmt = z.object({
  ...sqlText,
  args: z.array(value).nullish(),
  named_args: z.array(z.object({ name: z.string(), value })).nullish(),
  want_rows: z.boolean().nullish(),
})
export type Stmt = z.infer<typeof stmt>

const condition = z.discriminatedUnion('type', [
  z.object({ type: z.literal(['ok', 'error']), step: z.int().nonnegative() }),
  z.object({
    type: z.literal('not'),
    get cond() {
      return condition
    },
  }),
  z.object({
    type: z.literal(['and', 'or']),
    get conds() {
      return z.array(condition)
    },
  }),
  z.object({ type: z.literal('is_autocommit') }),
])
export type Condition = z.infer<typeof condition>

const batch = z.object({ steps: z.array(z.object({ condition: condition.nullish(), stmt })) })
export type Batch = z.infer<typeof batch>

const streamRequest = z.discriminatedUnion('type', [
  z.object({ type: z.literal('close') }),
  z.object({ type: z.literal('execute'), stmt }),
  z.object({ type: z.literal('batch'), batch }),
  z.object({ type: z.literal(['sequence', 'describe']), ...sqlText }),
  z.object({ type: z.literal('store_sql'), sql_id: z.int(), sql: z.string() }),
  z.object({ type: z.literal('close_sql'), sql_id: z.int() }),
  z.object({ type: z.literal('get_autocommit') }),
])
export type StreamRequest = z.infer<typeof streamRequest>

const baton = z.string().nullish()
export const pipelineRequest = z.object({ baton, requests: z.array(streamRequest) })
export const cursorRequest = z.object({ baton, batch })

export interface HranaError {
  readonly message: string
  readonly code: string | null
}

export interface StmtResult {
  readonly cols: readonly { readonly name: string | null; readonly decltype: string | null }[]
  readonly rows: readonly (readonly Value[])[]
  readonly affected_row_count: number
  readonly last_insert_rowid: string | null
}

export interface BatchResult {
  readonly step_results: readonly (StmtResult | null)[]
  readonly step_errors: readonly (HranaError | null)[]
}

/** Ends the request with an HTTP status, and closes its stream. */
export class StreamFailure extends Error {
  readonly status: number
  readonly code: string | null

  constructor(status: number, message: string, code: string | null = null) {
    super(message)
    this.status = status
    this.code = code
  }
}
