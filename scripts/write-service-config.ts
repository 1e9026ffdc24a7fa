/**
 * Writes clients/service-config.json from the contract, a copy to each client
 * that can only take in files of its own, and clients/channel-settings.json:
 * `npm run docs`. With `--check` it only compares, and fails when they differ.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CHANNEL_SETTINGS, serviceConfig } from './service-config.ts'

const clients = join(import.meta.dirname, '..', 'clients')
const check = process.argv.includes('--check')

const printed = (value: object) => `${JSON.stringify(value, null, 2)}\n`
const config = printed(serviceConfig())
const TARGETS: readonly (readonly [target: string, text: string])[] = [
  ['service-config.json', config],
  ['go/service-config.json', config],
  ['python/src/qscope_client/service-config.json', config],
  ['channel-settings.json', printed(CHANNEL_SETTINGS)],
]

const stale: string[] = []
for (const [target, text] of TARGETS) {
  const path = join(clients, target)
  if (check) {
    if ((await readFile(path, 'utf8').catch(() => '')) !== text) stale.push(`clients/${target}`)
  } else {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  }
}
if (stale.length > 0) {
  console.error(`${stale.join(', ')} not in sync with the contract; run npm run docs`)
  process.exit(1)
}
