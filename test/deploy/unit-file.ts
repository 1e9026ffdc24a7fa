import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './documents.ts'

const SYSTEMD = join(ROOT, 'deploy', 'systemd')

/** The settings of a systemd unit, by name; a repeated name has its values in order. */
export class UnitFile {
  readonly #settings = new Map<string, string[]>()

  constructor(text: string) {
    for (const line of linesOf(text)) {
      const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? []
      if (name === undefined || value === undefined) continue
      this.#settings.set(name, [...this.all(name), value])
    }
  }

  all(name: string): readonly string[] {
    return this.#settings.get(name) ?? []
  }

  /** The value of a name that occurs once. */
  the(name: string): string {
    const [value, ...more] = this.all(name)
    if (value === undefined || more.length > 0) throw new Error(`${name} stands ${this.all(name).length} times`)
    return value
  }
}

export const unit = new UnitFile(readFileSync(join(SYSTEMD, 'qscope.service'), 'utf8'))

/** The lines `NAME=value` of the environment file of the unit. */
export const variableLines = linesOf(readFileSync(join(SYSTEMD, 'qscope.env'), 'utf8'))

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('['))
}
