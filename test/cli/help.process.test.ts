import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { program } from '../../src/cli/program.ts'
import { emptyFolder, qscope } from './process.ts'

const TIMEOUT = 60_000

function everyCommand(command: Command, names: readonly string[] = []): readonly (readonly [string, Command])[] {
  return [
    [names.join(' '), command],
    ...command.commands.flatMap((child) => everyCommand(child, [...names, child.name()])),
  ]
}

/** The complete help of a command, including the text below the options. */
function printedHelp(command: Command): string {
  let printed = ''
  command.configureOutput({
    writeOut: (text) => {
      printed += text
    },
  })
  command.outputHelp()
  return printed
}

test(
  'qscope --version prints the version of the package',
  async () => {
    const stdout = `qscope ${manifest.version}\n`
    expect(await qscope(emptyFolder(), ['--version'])).toEqual({ code: 0, stdout, stderr: '' })
  },
  TIMEOUT,
)

describe('the help of qscope', () => {
  const commands = everyCommand(program())

  test.each([
    'client secret rotate-own',
    'token refresh',
    'token exchange',
    'token exchange-assertion',
    'token revoke-leaked',
    'token revocations',
    'metadata',
    'key jwks',
    'code create',
    'code redeem',
    'device watch',
  ])('shows the usage of %s', (name) => {
    const command = new Map(commands).get(name)
    if (command === undefined) throw new Error(`there is no command ${name}`)
    const [, example = ''] = printedHelp(command).split('\nExample:\n')
    expect(example).toContain(`qscope ${name} `)
    expect(example.split('\n').filter((line) => line.length > 80)).toEqual([])
    for (const [option] of example.matchAll(/ --[a-z-]+/g))
      expect(command.options.map(({ long }) => ` ${long}`)).toContain(option)
  })

  test('exists for every command', () => {
    expect(commands.length).toBeGreaterThan(40)
  })

  test.each(commands)('shows the options of %s before the common ones', (_name, command) => {
    const help = command.helpInformation()
    const common = ['Connection options:', 'Output options:'].map((group) => help.indexOf(group))
    for (const at of common.filter((each) => each >= 0)) expect(help.indexOf('\nOptions:')).toBeLessThan(at)
  })

  test.each(commands)('describes %s and each of its arguments, options and subcommands', (_name, command) => {
    const help = command.helpInformation()
    expect(help).toContain('Usage: qscope')
    expect(command.description()).not.toBe('')
    for (const { long } of command.options) expect(help).toContain(long)
    for (const option of command.options) expect(option.description).not.toBe('')
    for (const child of command.commands) expect(help).toMatch(new RegExp(`^ +${child.name()}\\b`, 'm'))
    expect(help).not.toMatch(/undefined|\[object|NaN/)
  })

  test.each(commands)('of %s fits into 80 columns', (name, command) => {
    const help = printedHelp(command)
    expect(help).toContain(`Usage: qscope ${name}`.trim())
    expect(help.split('\n').filter((line) => line.length > 80)).toEqual([])
  })

  test.each([
    ['', '--help'],
    ['', 'help'],
    ['health', 'health --help'],
    ['client create', 'client create -h'],
    ['client create', 'client create --type public --help'],
    ['client create', 'help client create'],
    ['client create', 'client help create'],
    ['key list', 'keys list --help'],
    ['token verify', 'token verify - --help'],
    ['client', 'client --help list'],
  ])(
    'of %j is printed, exit code 0, by qscope %s',
    async (name, line) => {
      const args = line.split(' ')
      const { code, stdout, stderr } = await qscope(emptyFolder(), args)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toContain(`Usage: qscope ${name}`.trim())
    },
    TIMEOUT,
  )
})
