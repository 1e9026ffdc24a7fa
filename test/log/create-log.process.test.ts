import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }

const MODULE = join(import.meta.dirname, '../../src/log/create-log.ts')

/** The lines that a process logs with the logger of a server. */
async function linesOf(program: string, options = '{ level: "debug", format: "json" }, { worker: 2 }') {
  const source = `import { createLog } from ${JSON.stringify(MODULE)}; const log = createLog(${options}); ${program}`
  const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', source])
  return stderr.trimEnd().split('\n')
}

it('a JSON line begins with level, time, service, version and message', async () => {
  const lines = await linesOf(`
    log.debug({}, 'one')
    log.info({ rayId: 'abc', nested: { msg: 'not this' } }, 'two "quoted"\\n')
    log.warn({ problem: 'x' }, 'three')
    log.error({ err: new Error('the cause') }, 'four')
  `)
  const read = lines.map((line): Record<string, unknown> => JSON.parse(line))
  for (const each of read) {
    expect(Object.keys(each).slice(0, 6)).toEqual(['level', 'time', 'service', 'version', 'msg', 'worker'])
    expect(each).toMatchObject({ service: 'qscope', version: manifest.version, worker: 2 })
    expect(each['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  }
  expect(read.map(({ level, msg }) => [level, msg])).toEqual([
    ['debug', 'one'],
    ['info', 'two "quoted"\n'],
    ['warn', 'three'],
    ['error', 'four'],
  ])
  expect(read[1]).toMatchObject({ rayId: 'abc', nested: { msg: 'not this' } })
  expect(read[3]?.['err']).toMatchObject({ type: 'Error', message: 'the cause' })
  for (const line of lines) expect(line.split('"msg":').length - 1).toBe(line.includes('not this') ? 2 : 1)
})

it('a disabled level writes nothing', async () => {
  const lines = await linesOf("log.info({}, 'no'); log.warn({}, 'yes')", '{ level: "warn", format: "json" }')
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['yes'])
})

it('a pretty line omits the constant fields', async () => {
  const [line] = await linesOf("log.info({ a: 1 }, 'hello')", '{ level: "info", format: "pretty" }')
  expect(line).toMatch(/^\d\d:\d\d:\d\d\.\d{3} info {2}hello a=1$/)
})

it('a line whose fields cannot be written as JSON is written with their names', async () => {
  const [line] = await linesOf(
    "const loop = {}; loop.self = loop; log.info({ rayId: 'abc', loop, amount: 1n }, 'odd')",
    '{ level: "info", format: "json" }',
  )
  expect(JSON.parse(line ?? '')).toMatchObject({ msg: 'odd', notWritten: ['rayId', 'loop', 'amount'] })
})

it('many lines are written in order, without loss or interleaving', async () => {
  for (const fields of ['null', '{ worker: 1 }']) {
    const lines = await linesOf(
      "for (let at = 0; at < 3_000; at += 1) log.info({ at, text: 'ä'.repeat(at % 50) }, 'x')",
      `{ level: "info", format: "json" }, ${fields}`,
    )
    const read = lines.map((line): { readonly at: number } => JSON.parse(line))
    expect(read.map(({ at }) => at)).toEqual(Array.from({ length: 3_000 }, (_, at) => at))
  }
})
