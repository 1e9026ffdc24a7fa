import { type AddHelpTextContext, Command } from 'commander'
import { describeConfig } from '../../config/config.ts'
import type { Variable } from '../../config/variable.ts'
import { CLIENT_VARIABLES, VARIABLES } from '../../config/variables.ts'
import { readConfig } from '../connection/environment.ts'
import { type OutputOptions, withOutput } from '../options/output-options.ts'
import { Output } from '../output/output.ts'
import type { Column } from '../output/table.ts'

export function configCommand(): Command {
  return withOutput(new Command('config'))
    .description('print the effective configuration, secrets masked')
    .addHelpText('after', explanation)
    .action((options: OutputOptions) => {
      const config = readConfig()
      const settings = describeConfig(config)
      const output = new Output(options)
      output.answer({
        document: () => ({
          settings: settings.map(({ name, value, source }) => ({ name, value, source })),
          warnings: [...config.warnings],
        }),
        text: () =>
          [output.table(SETTING_COLUMNS, settings), ...config.warnings.map((warning) => `warning: ${warning}`)].join(
            '\n',
          ),
        names: () => settings.map(({ name }) => name),
      })
    })
}

const SETTING_COLUMNS: readonly Column<ReturnType<typeof describeConfig>[number]>[] = [
  { heading: 'VARIABLE', value: ({ name }) => name, whole: true },
  { heading: 'VALUE', value: ({ value }) => value },
  { heading: 'FROM', value: ({ source }) => source },
]

const INDENT = '      '

/** Describes each variable. Help must work without a valid configuration. */
function explanation({ command }: AddHelpTextContext): string {
  const helper = command.createHelp()
  const width = (process.stdout.columns ?? 80) - INDENT.length
  const paragraph = (text: string) => helper.boxWrap(text, width).replaceAll(/^/gm, INDENT)
  const variables = Object.entries<Variable>({ ...VARIABLES, ...CLIENT_VARIABLES })
  const paragraphs = variables.map(([name, { does, shouldBe, example, unset, default: byDefault }]) => {
    const value = [`Should be ${shouldBe}.`, ...(example === null ? [] : [`Example: ${example}`])]
    return [`  ${name}`, ...[does, ...value, `Default: ${byDefault ?? unset}`].map(paragraph)].join('\n')
  })
  return `\nVariables:\n${paragraphs.join('\n')}`
}
