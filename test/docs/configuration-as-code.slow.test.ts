import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { qscope, temporaryDirectory } from '../e2e/process.ts'
import { blocksOf, matchesText } from './page.ts'
import { runBlocks } from './shell.ts'

const BLOCKS = blocksOf(
  readFileSync(join(resolve(import.meta.dirname, '..', '..'), 'docs', 'configuration-as-code.md'), 'utf8'),
)
const DOCUMENTS = BLOCKS.find(({ language }) => language === 'yaml')?.text ?? ''

/** Hydra and Keycloak as far as the page calls them. Each writes what it exports. */
const EXPORTS = `
hydra() { printf '%s' '[{"client_id": "stock", "grant_types": ["client_credentials"], "scope": "stock.read"}]'; }
kc.sh() { printf '%s' '{"realm": "shop", "users": [{"id": "5a1f0c1e-0000-4000-8000-000000000001"}]}' > "\${@: -1}"; }
`

/** A command that does not end by itself runs until it has printed what it prints at its start. */
function untilServing(command: string): string {
  return `${command.trim()} > served &
until grep -q 'client secret' served; do kill -0 $!; sleep 0.1; done
kill -9 $!
cat served`
}

test('the commands of configuration-as-code.md are run as written, in its order', async () => {
  const folder = await temporaryDirectory()
  mkdirSync(join(folder, 'clients'))
  writeFileSync(join(folder, 'clients', 'orders.yaml'), DOCUMENTS)
  writeFileSync(join(folder, 'seed.yaml'), DOCUMENTS)
  const server = qscope(await temporaryDirectory(), ['serve'], { QSCOPE_GRPC_LISTEN: '127.0.0.1:0' })
  const [, address = ''] = await server.until(/listens on (\S+)/)
  const [, secret = ''] = await server.until(/client secret {2}(\S+)/)
  const commands = [...BLOCKS.keys()].filter((at) => BLOCKS[at]?.language === 'sh')
  const outputs = await runBlocks(
    [
      { text: EXPORTS },
      ...commands.map((at) => {
        const text = BLOCKS[at]?.text ?? ''
        return { text: text.includes('qscope serve') ? untilServing(text) : text }
      }),
      { text: 'qscope apply -f clients.yaml -f shop.yaml --dry-run' },
    ],
    {
      cwd: folder,
      variables: { QSCOPE_SERVER: address, QSCOPE_CLIENT_ID: 'admin', QSCOPE_CLIENT_SECRET: secret },
    },
  )
  const shown = commands.flatMap((at, index) => {
    const next = BLOCKS[at + 1]
    return next?.language === 'text' ? [{ text: next.text, printed: outputs[index + 1] ?? '' }] : []
  })
  expect(shown).toHaveLength(2)
  for (const { text, printed } of shown) expect(printed).toSatisfy((output) => matchesText(text, output), text)
  expect(outputs.at(-1)).toContain('+ Client stock  register')
  expect(outputs.at(-1)).toContain('+ User 5a1f0c1e-0000-4000-8000-000000000001  register')
})
