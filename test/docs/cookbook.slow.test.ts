import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { qscope, temporaryDirectory } from '../e2e/process.ts'
import { freePort } from '../setup/free-port.ts'
import { hasGrpcurl } from '../setup/grpcurl.ts'
import { hasJq } from '../setup/jq.ts'
import { parsed, type Served, TOOLS, walk, withOutputs } from './recorded-page.ts'
import { trustedWorkload } from './trusted-workload.ts'

const COOKBOOK = join(resolve(import.meta.dirname, '..', '..'), 'docs', 'cookbook')
const TIMEOUT_MS = 600_000
const tools = TOOLS.filter((tool) => tool !== 'grpcurl' || hasGrpcurl)
const pages = readdirSync(COOKBOOK)
const read = (page: string) => readFileSync(join(COOKBOOK, page), 'utf8')

async function serve(): Promise<Served> {
  const directory = await temporaryDirectory()
  const { issuersFile, assertion } = await trustedWorkload(directory)
  const assertionFile = join(directory, 'assertion')
  await writeFile(assertionFile, assertion)
  const env = { QSCOPE_GRPC_LISTEN: `127.0.0.1:${await freePort()}`, QSCOPE_TRUSTED_ISSUERS_FILE: issuersFile }
  const server = qscope(await temporaryDirectory(), ['serve'], env)
  const [, address = ''] = await server.until(/listens on (\S+)/)
  const secret = /client secret {2}(\S+)/.exec(server.stdout)?.[1] ?? ''
  return { address, variables: { ADMIN_SECRET: secret, ASSERTION_FILE: assertionFile } }
}

test.skipIf(!hasJq).each(pages)(
  '%s shows what its calls print, with each tool',
  async (page) => {
    const text = read(page)
    const outputs = new Map<number, string>()
    for (const tool of tools) {
      for (const [at, output] of await walk(text, tool, await serve())) {
        const before = outputs.get(at)
        if (before !== undefined) expect(parsed(output), `with ${tool}`).toEqual(parsed(before))
        outputs.set(at, output)
      }
    }
    // `npx vitest run test/docs/cookbook.slow.test.ts -u` writes into the page what was printed.
    await expect(withOutputs(text, outputs)).toMatchFileSnapshot(join(COOKBOOK, page))
  },
  TIMEOUT_MS,
)
