import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseDuration } from '../../src/config/duration.ts'
import { at, composeFile, isKnownVariable, isNode, type Node, nodeOf, ROOT } from './documents.ts'

const FILES = ['compose.yaml', 'compose.tls.yaml']
const base = composeFile('compose.yaml')
const tls = composeFile('compose.tls.yaml')
const ownServices = (file: Node) => Object.entries(nodeOf(file['services'])).filter(([name]) => name !== 'mysql')

describe.each(FILES)('%s', (file) => {
  const services = ownServices(composeFile(file))

  it('sets only variables that QScope knows', () => {
    const names = services.flatMap(([, service]) => Object.keys(nodeOf(at(service, 'environment'))))
    expect(names.length).toBeGreaterThan(3)
    expect(names.filter((name) => !isKnownVariable(name))).toEqual([])
  })

  it('mounts each secret that a variable names, and defines its file', () => {
    for (const [, service] of services) {
      const handed = at(service, 'secrets')
      const named = Object.values(nodeOf(at(service, 'environment')))
        .map(String)
        .flatMap((value) => /^\/run\/secrets\/(.*)$/.exec(value)?.[1] ?? [])
      expect(handed).toEqual(named)
      for (const name of named) expect(at(composeFile(file), 'secrets', name, 'file')).toMatch(/^\.\/secrets\//)
    }
  })
})

describe('compose.yaml', () => {
  it.each(ownServices(base))('runs %s read-only, without capabilities, and with one volume', (_name, service) => {
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      volumes: ['keyring:/data'],
    })
    expect(isNode(service) && 'privileged' in service).toBe(false)
  })

  it('starts the server after the migration, and the migration after the database', () => {
    expect(at(base, 'services', 'qscope', 'depends_on', 'migrate', 'condition')).toBe('service_completed_successfully')
    expect(at(base, 'services', 'migrate', 'depends_on', 'mysql', 'condition')).toBe('service_healthy')
    expect(at(base, 'services', 'migrate', 'command')).toEqual(['migrate', 'up'])
  })

  it('has a grace period longer than QSCOPE_SHUTDOWN_GRACE', () => {
    const patience = parseDuration(String(at(base, 'services', 'qscope', 'stop_grace_period'))) ?? 0
    const grace = at(base, 'services', 'qscope', 'environment', 'QSCOPE_SHUTDOWN_GRACE')
    expect(patience).toBeGreaterThan(parseDuration(String(grace)) ?? Number.POSITIVE_INFINITY)
  })

  it('publishes its plaintext port only on the loopback interface', () => {
    expect(at(base, 'services', 'qscope', 'ports')).toEqual(['127.0.0.1:50051:50051'])
  })

  it('passes each password to the database in a file, so that its log prints none', () => {
    const environment = nodeOf(at(base, 'services', 'mysql', 'environment'))
    const passwords = Object.entries(environment).filter(([name]) => name.includes('PASSWORD'))
    expect(passwords).toEqual([
      ['MYSQL_PASSWORD_FILE', '/run/secrets/mysql-password'],
      ['MYSQL_ROOT_PASSWORD_FILE', '/run/secrets/mysql-root-password'],
    ])
    const handed = passwords.map(([, path]) => String(path).replace('/run/secrets/', ''))
    expect(at(base, 'services', 'mysql', 'secrets')).toEqual(handed)
    for (const name of handed) expect(at(base, 'secrets', name, 'file')).toBe(`./secrets/${name}`)
    const page = readFileSync(join(ROOT, 'docs', 'container.md'), 'utf8')
    for (const name of handed) expect(page).toContain(`secrets/${name}`)
  })

  it('keeps its secrets in a folder that git ignores', () => {
    expect(readFileSync(join(ROOT, '.gitignore'), 'utf8').split('\n')).toContain('/secrets/')
  })
})

describe('compose.tls.yaml', () => {
  it('sets QSCOPE_INSECURE to 0', () => {
    expect(at(tls, 'services', 'qscope', 'environment', 'QSCOPE_INSECURE')).toBe('0')
  })
})
