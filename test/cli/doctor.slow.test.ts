import { expect, inject, test } from 'vitest'
import { onEveryKind } from '../setup/every-kind.ts'
import { mysqlDatabases } from '../setup/fresh-database.ts'
import { createSharedDatabase } from '../setup/least-privilege.ts'
import { emptyFolder, qscope } from './process.ts'

const TIMEOUT = 300_000

interface Finding {
  readonly check: string
  readonly state: string
  readonly finding: string
  readonly advice: string | null
}

const variables = (url: string) => ({ QSCOPE_DATABASE_URL: url, QSCOPE_KEYRING_FILE: './keyring.json' })

async function doctor(folder: string, env: Record<string, string>) {
  const { code, stdout } = await qscope(folder, ['doctor', '--json'], env)
  const findings: readonly Finding[] = JSON.parse(stdout).findings
  const of = (check: string) => findings.find((each) => each.check === check)
  return { code, findings, of }
}

async function succeed(folder: string, args: readonly string[], env: Record<string, string>) {
  const { code, stderr } = await qscope(folder, args, env)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
}

onEveryKind('the doctor on $name', (kind) => {
  test(
    'distinguishes an empty database from one that can be served',
    async () => {
      const folder = emptyFolder()
      const database = await kind.create()
      const env = variables(database.url)
      try {
        await succeed(folder, ['migrate', 'up'], env)
        await succeed(folder, ['migrate', 'down', '--all', '--yes'], env)
        expect((await doctor(folder, env)).of('schema')).toMatchObject({ state: 'warning' })

        await succeed(folder, ['migrate', 'up'], env)
        const healthy = await doctor(folder, env)
        expect(healthy.code).toBe(0)
        expect(healthy.of('schema')?.finding).toMatch(/^fits this version: at 0\d+_\w+, for servers from 0\d+_\w+ on$/)
        expect(healthy.of('audit log')).toMatchObject({ state: 'ok', finding: expect.stringContaining('triggers') })
        expect(healthy.of('database version')?.finding).toMatch(/\d+\.\d+/)
        expect(healthy.of('health')).toMatchObject({ state: 'ok' })
        expect(healthy.findings.some(({ state }) => state === 'problem')).toBe(false)
        if (kind.dialect !== 'sqlite') {
          expect(healthy.of('connections')?.finding).toMatch(/^at most 15 connections, in plaintext/)
          expect(healthy.of('database clock')).toMatchObject({ state: 'ok' })
          expect(healthy.of('database tls')?.finding).toBe('plaintext')
        }
      } finally {
        await database.drop()
      }
    },
    TIMEOUT,
  )
})

test(
  'the doctor shows no password, skips an unreachable host, and warns about plaintext',
  async ({ skip }) => {
    if (!mysqlDatabases.available) skip('there is no server')
    const folder = emptyFolder()
    const database = await mysqlDatabases.create()
    try {
      const url = new URL(database.url)
      const several = database.url.replace(url.host, `192.0.2.1,${url.host}`)
      const env = { ...variables(several), QSCOPE_DATABASE_CONNECT_TIMEOUT: '1s', QSCOPE_DATABASE_POOL_SIZE: '500' }
      await succeed(folder, ['migrate', 'up'], env)
      const { code, findings, of } = await doctor(folder, env)
      expect({ code, problems: findings.filter(({ state }) => state === 'problem') }).toEqual({ code: 0, problems: [] })
      expect(of('database')).toMatchObject({
        state: 'ok',
        finding: expect.stringContaining(`:***@192.0.2.1,${url.host}`),
      })
      expect(of('connections')).toMatchObject({
        state: 'warning',
        finding: 'at most 500 connections, in plaintext to 192.0.2.1',
        advice: 'set QSCOPE_DATABASE_TLS=on',
      })
      const most = of('database max_connections')
      expect(most?.state).toBe(Number(most?.finding) <= 500 ? 'warning' : 'ok')
      expect(JSON.stringify(findings)).not.toContain(`:${url.password}@`)
    } finally {
      await database.drop()
    }
  },
  TIMEOUT,
)

test(
  'the doctor reports an unreachable database as a problem',
  async () => {
    for (const url of ['mysql://u:hunter2@127.0.0.1:1/q', 'postgres://u:hunter2@127.0.0.1:1,[::1]:1/q']) {
      const { code, of } = await doctor(emptyFolder(), variables(url))
      expect(code).toBe(1)
      expect(of('database')).toMatchObject({ state: 'problem' })
      expect(of('database')?.finding).not.toContain('hunter2')
    }
  },
  TIMEOUT,
)

for (const [name, administrator] of Object.entries({
  mysql: inject('mysqlUrl'),
  mariadb: inject('mariadbUrl'),
  postgres: inject('postgresUrl'),
})) {
  test.skipIf(administrator === null)(
    `the doctor reports on ${name} whether the grants keep the audit log append-only`,
    async () => {
      const folder = emptyFolder()
      const database = await createSharedDatabase(administrator ?? '')
      const [owner, server] = [variables(database.ownerUrl), variables(database.serverUrl)]
      try {
        await succeed(folder, ['migrate', 'up', '--audit=grants'], owner)
        await database.grantServer()
        expect((await doctor(folder, owner)).of('audit log')).toMatchObject({
          state: 'warning',
          finding: expect.stringMatching(
            /has the privilege to UPDATE, DELETE(, TRUNCATE)?, and no trigger prevents it/,
          ),
          advice: expect.stringContaining('migrate up --audit=triggers'),
        })
        const served = await doctor(folder, server)
        expect(served.code).toBe(0)
        expect(served.of('audit log')).toMatchObject({
          state: 'ok',
          finding: expect.stringContaining('no privilege to change it'),
        })
        expect(served.of('health')).toMatchObject({ state: 'ok' })

        // With its binary log, which is on by default, MySQL allows only administrators to create triggers.
        const maker = name === 'mysql' ? variables(database.adminUrl) : owner
        await succeed(folder, ['migrate', 'up', '--audit=triggers'], maker)
        expect((await doctor(folder, owner)).of('audit log')).toMatchObject({ state: 'ok' })
      } finally {
        await database.drop()
      }
    },
    TIMEOUT,
  )
}
