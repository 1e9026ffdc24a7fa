import { expect, test } from 'vitest'
import type { ServerHost } from '../../src/domain/server-url.ts'
import { DatabaseError } from '../../src/stores/sql/core/database-error.ts'
import { Hosts } from '../../src/stores/sql/server/open-connection.ts'

const hosts: readonly ServerHost[] = ['a', 'b', 'c'].map((host) => ({ host, port: null }))
const [a, b, c] = hosts as [ServerHost, ServerHost, ServerHost]

/** Tries to open connections to hosts, and returns those that were tried. */
async function openOn(among: Hosts, isFit: (host: ServerHost) => boolean): Promise<readonly string[]> {
  const tried: string[] = []
  const attempt = async (host: ServerHost) => {
    tried.push(host.host)
    if (!isFit(host)) throw new DatabaseError('unavailable', 'it is not fit')
  }
  await among.open(attempt).catch(() => undefined)
  return tried
}

test('a host is used while it works, and left for the next one when it becomes unfit', async () => {
  const among = new Hosts(hosts)
  expect(among.isPreferred(a)).toBe(false)
  expect(await openOn(among, () => true)).toEqual(['a'])
  expect(await openOn(among, () => true)).toEqual(['a'])
  among.leave(a)
  expect(hosts.some((host) => among.isPreferred(host))).toBe(false)
  expect(await openOn(among, (host) => host !== b)).toEqual(['b', 'c'])
  expect(among.isPreferred(c)).toBe(true)
  // A caller on another host notices it later.
  among.leave(a)
  expect(among.isPreferred(c)).toBe(true)
})

test('a host that was left is not used until it can be opened again', async () => {
  const among = new Hosts(hosts)
  await openOn(among, () => true)
  among.leave(a)
  expect(await openOn(among, () => false)).toEqual(['b', 'c', 'a'])
  expect(hosts.some((host) => among.isPreferred(host))).toBe(false)
  expect(await openOn(among, (host) => host === a)).toEqual(['b', 'c', 'a'])
  expect(among.isPreferred(a)).toBe(true)
})
