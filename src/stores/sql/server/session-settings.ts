import type { Diagnostic } from '../../contract/backend.ts'
import { DatabaseError } from '../core/database-error.ts'
import { diagnostic } from '../diagnostics.ts'

/** A setting of a session on which the meaning of statements hangs. */
export interface SessionSetting {
  readonly name: string
  /** As it is written in a SET statement. */
  readonly value: string
  /** How servers show this value, in lower case; the first is the usual form. */
  readonly shown: readonly string[]
  /** Of two ways to write the same list in it, both are right. */
  readonly isList?: true
}

/** What a session says of a setting that is not as it should be. */
export interface Deviation {
  readonly setting: SessionSetting
  readonly found: string
}

/** Which settings are not as they should be; one that the server does not know is left out. */
export function deviationsOf(
  settings: readonly SessionSetting[],
  reported: ReadonlyMap<string, string>,
): readonly Deviation[] {
  return settings.flatMap((setting) => {
    const found = reported.get(setting.name)
    if (found === undefined) return []
    const wanted = setting.shown.map((value) => comparable(value, setting))
    return wanted.includes(comparable(found, setting)) ? [] : [{ setting, found }]
  })
}

const CHANGED = 'something between it and the server, such as a connection pooler, changes sessions'

/** What is wrong with a session, and where to look, in one line. */
function deviationText(deviations: readonly Deviation[]): string {
  const reported = deviations.map(
    ({ setting, found }) => `${setting.name} is ${found || "''"}, not ${setting.shown[0]}`,
  )
  return reported.join('; ')
}

/** Told by `doctor`: of a session that was set up, and what it has become. */
export function sessionDiagnostic(deviations: readonly Deviation[]): Diagnostic {
  if (deviations.length === 0) return diagnostic('session', 'as QScope sets it')
  return diagnostic('session', deviationText(deviations), CHANGED)
}

/**
 * A session in which statements mean something else may merge names that differ,
 * or cut them: it is not used.
 */
export function assertNoDeviations(deviations: readonly Deviation[]): void {
  if (deviations.length === 0) return
  throw new DatabaseError(
    'unavailable',
    `the session of the database is not as QScope sets it (${deviationText(deviations)}): ${CHANGED}`,
  )
}

function comparable(value: string, { isList }: SessionSetting): string {
  const lower = value.toLowerCase()
  return isList === true ? lower.split(',').toSorted().join(',') : lower
}
