import type { Diagnostic } from '../../contract/backend.ts'
import { DatabaseError } from '../core/database-error.ts'
import { diagnostic } from '../diagnostics.ts'

/** A session setting that affects the meaning of statements. */
export interface SessionSetting {
  readonly name: string
  /** The value in a SET statement. */
  readonly value: string
  /** The forms in which servers show this value, in lower case. The first one is the usual form. */
  readonly shown: readonly string[]
  /** The value is a list, whose separators may vary. */
  readonly isList?: true
}

/** A session setting with a wrong value. */
export interface Deviation {
  readonly setting: SessionSetting
  readonly found: string
}

/** The settings with wrong values. A setting that the server does not have is omitted. */
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

/** The wrong settings and where to look, in one line. */
function deviationText(deviations: readonly Deviation[]): string {
  const reported = deviations.map(
    ({ setting, found }) => `${setting.name} is ${found || "''"}, not ${setting.shown[0]}`,
  )
  return reported.join('; ')
}

/** For `doctor`: the settings of a session after its setup. */
export function sessionDiagnostic(deviations: readonly Deviation[]): Diagnostic {
  if (deviations.length === 0) return diagnostic('session', 'as QScope sets it')
  return diagnostic('session', deviationText(deviations), CHANGED)
}

/** In a session with wrong settings, distinct names may compare equal or be truncated. It is not used. */
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
