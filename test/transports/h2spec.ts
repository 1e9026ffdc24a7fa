import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../interop/toolchain.ts'

/** Seconds for which h2spec waits for an answer; each case that fails by timeout takes this long. */
const TIMEOUT_S = 2

export interface H2specCase {
  /** Section and title, as in `http2/6.7: Sends a PING frame with ACK`. */
  readonly title: string
  readonly result: 'passed' | 'failed' | 'skipped'
}

export interface H2specTarget {
  readonly port: number
  readonly tls: boolean
}

/** Runs all cases of h2spec against a port of this machine. */
export async function runH2spec(h2spec: string, { port, tls }: H2specTarget): Promise<readonly H2specCase[]> {
  const directory = mkdtempSync(join(tmpdir(), 'qscope-h2spec-'))
  const report = join(directory, 'report.xml')
  const secured = tls ? ['--tls', '--insecure'] : []
  try {
    // h2spec exits with an error if a case fails; the report contains the cases.
    await run(h2spec, ['-p', `${port}`, '-o', `${TIMEOUT_S}`, '-j', report, ...secured]).catch((error: Error) => {
      if (!error.message.includes('tests,')) throw error
    })
    return casesOf(readFileSync(report, 'utf8'))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const CASE = /<testcase package="([^"]*)" classname="([^"]*)" time="[^"]*">(.*?)<\/testcase>/gs

/** The report is not valid XML, because it contains unescaped bytes of frames. */
function casesOf(report: string): readonly H2specCase[] {
  return Array.from(report.matchAll(CASE), ([, section = '', title = '', body = '']) => ({
    title: `${section}: ${title.replaceAll('&#34;', '"')}`,
    result: /^\s*<skipped>/.test(body) ? 'skipped' : body.trim() === '' ? 'passed' : 'failed',
  }))
}
