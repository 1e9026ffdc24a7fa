import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..', '..', '..')
const CLIENT = join(ROOT, 'packages', 'client')
const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'))
const [server, client] = [read(join(ROOT, 'package.json')), read(join(CLIENT, 'package.json'))]
const tested: Record<string, string> = { ...server.devDependencies, ...server.dependencies }

it('both packages have the same version and licence', () => {
  expect(client.version).toBe(server.version)
  expect(client.license).toBe(server.license)
  expect(readFileSync(join(CLIENT, 'LICENSE'), 'utf8')).toBe(readFileSync(join(ROOT, 'LICENSE'), 'utf8'))
})

it('each dependency of the client accepts the tested version, and a minimum with the same major version', () => {
  const asked: [string, string][] = Object.entries({ ...client.dependencies, ...client.peerDependencies })
  expect(asked.length).toBeGreaterThan(3)
  for (const [name, range] of asked) {
    expect(range, name).toMatch(/^\^\d+\.\d+\.\d+$/)
    const [least = [], used = []] = [range.slice(1), tested[name] ?? ''].map((version) =>
      version.split('.').map(Number),
    )
    expect(least[0], name).toBe(used[0])
    const [minor = 0, patch = 0] = least.slice(1)
    const [usedMinor = 0, usedPatch = 0] = used.slice(1)
    expect(minor < usedMinor || (minor === usedMinor && patch <= usedPatch), name).toBe(true)
  }
})

it('each peer dependency is optional, and the other dependencies are @bufbuild/protobuf and jose', () => {
  expect(Object.keys(client.dependencies)).toEqual(['@bufbuild/protobuf', 'jose'])
  expect(Object.keys(client.peerDependenciesMeta)).toEqual(Object.keys(client.peerDependencies))
})
