import { Command } from 'commander'
import type { Finding } from '../../app/doctor/finding.ts'
import { ConfigError } from '../../config/problems.ts'
import { openLog, readConfig } from '../connection/environment.ts'
import { type OutputOptions, withOutput } from '../options/output-options.ts'
import { Output } from '../output/output.ts'
import { FINDING_COLUMNS } from '../views/finding.ts'

export function doctorCommand(): Command {
  return withOutput(new Command('doctor'))
    .description(
      'check configuration, keyring, database, clock and disk, and say how to fix problems; exit code 1 if there are any',
    )
    .action(async (options: OutputOptions) => {
      const findings = await findingsHere()
      const healthy = findings.every(({ state }) => state !== 'problem')
      const output = new Output(options)
      output.answer({
        document: () => ({ healthy, findings: findings.map((finding) => ({ ...finding })) }),
        text: () => output.table(FINDING_COLUMNS, findings),
        names: () => [...new Set(findings.filter((finding) => finding.state === 'problem').map(({ check }) => check))],
      })
      if (!healthy) process.exitCode = 1
    })
}

async function findingsHere(): Promise<readonly Finding[]> {
  try {
    const config = readConfig()
    const { examineConfigured } = await import('../../app/examine.ts')
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
