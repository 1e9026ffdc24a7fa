import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './documents.ts'

const SYSTEMD = join(ROOT, 'deploy', 'systemd')

/** What a unit of systemd sets, by name; a name that stands several times has its values in their order. */
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

  /** Of a name that stands once. */
  the(name: string): string {
    const [value, ...more] = this.all(name)
    if (value === undefined || more.length > 0) throw new Error(`${name} stands ${this.all(name).length} times`)
    return value
  }
}

export const unit = new UnitFile(readFileSync(join(SYSTEMD, 'qscope.service'), 'utf8'))

/** Lines `NAME=value` of the file that the unit takes its variables from. */
export const variableLines = linesOf(readFileSync(join(SYSTEMD, 'qscope.env'), 'utf8'))

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('['))
}
