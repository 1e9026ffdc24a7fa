import { type AddHelpTextContext, Command } from 'commander'
import { describeConfig } from '../../config/config.ts'
import type { Variable } from '../../config/variable.ts'
import { CLIENT_VARIABLES, VARIABLES } from '../../config/variables.ts'
import { readConfig } from '../connection/environment.ts'
import { Output } from '../output/output.ts'

export function configCommand(): Command {
  return new Command('config')
    .description('print the effective configuration, secrets masked')
    .option('--json', 'print one JSON document')
    .addHelpText('after', explanation)
    .action((options: { readonly json?: boolean }) => {
      const config = readConfig()
      const settings = describeConfig(config)
      const output = new Output(options)
      output.answer(
        () => ({
          settings: settings.map(({ name, value, source }) => ({ name, value, source })),
          warnings: [...config.warnings],
        }),
        () =>
          [
            output.table(
              ['VARIABLE', 'VALUE', 'FROM'],
              settings.map(({ name, value, source }) => [name, value, source]),
            ),
            ...config.warnings.map((warning) => `warning: ${warning}`),
          ].join('\n'),
      )
    })
}

const INDENT = '      '

/** What each variable does: help must be there before the configuration is right. */
function explanation({ command }: AddHelpTextContext): string {
  const helper = command.createHelp()
  const width = (process.stdout.columns ?? 80) - INDENT.length
  const paragraph = (text: string) => helper.boxWrap(text, width).replaceAll(/^/gm, INDENT)
  const variables = Object.entries<Variable>({ ...VARIABLES, ...CLIENT_VARIABLES })
  const paragraphs = variables.map(([name, { does, shouldBe, unset, default: byDefault }]) => {
    return [`  ${name}`, ...[does, `Should be ${shouldBe}.`, `Default: ${byDefault ?? unset}`].map(paragraph)].join(
      '\n',
    )
  })
  return `\nVariables:\n${paragraphs.join('\n')}`
}
