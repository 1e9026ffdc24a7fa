import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { installed } from '../setup/installed.ts'
import { missing } from '../setup/requirement.ts'
import { everyCommand } from './every-command.ts'
import { emptyFolder, qscope } from './process.ts'

const run = promisify(execFile)
const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

const folder = emptyFolder()
const script = (shell: Shell) => join(folder, `completion.${shell}`)
const env = {
  PATH: process.env['PATH'] ?? '',
  HOME: folder,
  XDG_CONFIG_HOME: join(folder, '.config'),
  FOLDER: folder,
  TERM: 'dumb',
}

async function stdoutOf(program: string, args: readonly string[]): Promise<string> {
  return (await run(program, args, { env, cwd: folder, maxBuffer: 1 << 24 })).stdout
}

/** The completions that each shell offers for the last word of each line. */
const OFFERS: Readonly<Record<Shell, (lines: readonly string[]) => Promise<readonly (readonly string[])[]>>> = {
  bash: async (lines) => await offersOf('bash', '--norc', 'bash-offers.sh', lines),
  zsh: async (lines) => await offersOf('zsh', '-f', 'zsh-offers.zsh', lines),
  fish: async (lines) => {
    const program = [`source ${script('fish')}`, ...lines.flatMap((line) => [`complete -C '${line}'`, 'echo ---'])]
    const printed = await stdoutOf('fish', ['--no-config', '-c', program.join('\n')])
    return printed
      .split('---\n')
      .slice(0, -1)
      .map((offers) => linesOf(offers).map((offer) => offer.split('\t')[0] ?? ''))
  },
}

async function offersOf(shell: Shell, option: string, program: string, lines: readonly string[]) {
  const printed = await stdoutOf(shell, [option, join(import.meta.dirname, program), ...lines])
  return linesOf(printed).map((line) => line.split(' ').filter(Boolean))
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').slice(0, -1)
}

describe.each(SHELLS)('completion in %s', (shell) => {
  const found = installed(shell) !== null
  if (!found) missing(shell, `completion in ${shell}`, `${shell} is not installed`)

  beforeAll(async () => {
    const { code, stdout } = await qscope(folder, ['completion', shell])
    expect(code).toBe(0)
    writeFileSync(script(shell), stdout)
    const contexts = join(folder, '.config', 'qscope', 'contexts')
    mkdirSync(contexts, { recursive: true })
    for (const name of ['dev', 'production']) writeFileSync(join(contexts, `${name}.json`), '{}')
  })

  test.skipIf(!found)('offers commands, options, their values and contexts', async () => {
    const expected: Readonly<Record<string, readonly string[]>> = {
      'qscope cl': ['client'],
      'qscope client sec': ['secret'],
      'qscope client secret ': ['help', 'list', 'revoke', 'rotate-own'],
      'qscope client create --ty': ['--type'],
      'qscope client create --type ': ['confidential', 'public'],
      'qscope client create --id list --type p': ['public'],
      'qscope client list -o ': ['json', 'name', 'table', 'wide', 'yaml'],
      'qscope keys list --state re': ['retired', 'revoked'],
      'qscope client list --context ': ['dev', 'production'],
      'qscope context use p': ['production'],
      'qscope completion ': ['bash', 'fish', 'zsh'],
    }
    const offered = await OFFERS[shell](Object.keys(expected))
    expect(Object.fromEntries(Object.keys(expected).map((line, at) => [line, offered[at]?.toSorted()]))).toEqual(
      expected,
    )
  })

  test.skipIf(!found)('offers the value after an equals sign', async () => {
    const [offered = []] = await OFFERS[shell](['qscope client list --output=y'])
    expect(offered.map((offer) => offer.replace('--output=', ''))).toEqual(['yaml'])
  })

  test.skipIf(!found)('knows all options of every command', async () => {
    const commands = [...everyCommand()]
    const offered = await OFFERS[shell](commands.map(([path]) => `qscope ${path} --`))
    expect(offered).toHaveLength(commands.length)
    for (const [at, [path, command]] of commands.entries()) {
      const long = command.options.map((option) => option.long).filter((flag) => flag != null)
      expect(offered[at], path).toEqual(expect.arrayContaining(long))
    }
  })
})

test('reports an unknown shell', async () => {
  expect(await qscope(folder, ['completion', 'tcsh'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Allowed choices are bash, zsh, fish'),
  })
})
