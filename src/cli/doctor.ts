import { Command } from 'commander'
import type { Finding } from '../app/doctor/finding.ts'
import { examineConfigured } from '../app/examine.ts'
import { ConfigError } from '../config/problems.ts'
import { openLog, readConfig } from './environment.ts'
import { Output } from './output.ts'

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('check configuration, keyring, database, clock and disk, and say what to do; exit code 1 on problems')
    .option('--json', 'print one JSON document')
    .action(async (options: { readonly json?: boolean }) => {
      const findings = await findingsHere()
      const healthy = findings.every(({ state }) => state !== 'problem')
      const output = new Output(options)
      output.answer(
        () => ({ healthy, findings: findings.map((finding) => ({ ...finding })) }),
        () =>
          output.table(
            ['CHECK', 'STATE', 'FINDING', 'WHAT TO DO'],
            findings.map(({ check, state, finding, advice }) => [check, state, finding, advice ?? '']),
          ),
      )
      if (!healthy) process.exitCode = 1
    })
}

async function findingsHere(): Promise<readonly Finding[]> {
  try {
    const config = readConfig()
    return await examineConfigured(config, openLog({ ...config, warnings: [] }, { quiet: true }))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map((finding) => ({
      check: 'configuration',
      state: 'problem',
      finding,
      advice: 'correct the variable',
    }))
  }
}
