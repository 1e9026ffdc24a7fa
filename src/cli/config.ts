import { Command } from 'commander'
import { describeConfig } from '../config/config.ts'
import { readConfig } from './environment.ts'
import { createOutput } from './output.ts'
import { table } from './table.ts'

export function configCommand(): Command {
  return new Command('config')
    .description('print the effective configuration, secrets masked')
    .option('--json', 'print one JSON document')
    .action((options: { readonly json?: boolean }) => {
      const config = readConfig()
      const settings = describeConfig(config)
      const output = createOutput(options.json ?? false)
      output.answer(
        () => ({
          settings: settings.map(({ name, value, source }) => ({ name, value, source })),
          warnings: [...config.warnings],
        }),
        () =>
          [
            table(
              ['VARIABLE', 'VALUE', 'FROM'],
              settings.map(({ name, value, source }) => [name, value, source]),
              output.bold,
            ),
            ...config.warnings.map((warning) => `warning: ${warning}`),
          ].join('\n'),
      )
    })
}
