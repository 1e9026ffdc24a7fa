import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { LOCAL_NAMES, selfSigned, suiteFolder } from '../setup/certificates.ts'
import { qscope, run, temporaryDirectory } from './process.ts'

const folder = suiteFolder()

it('each worker reloads a renewed certificate and a rotated keyring', async () => {
  const directory = await temporaryDirectory()
  const [before, renewed] = ['before', 'renewed'].map((name) => selfSigned(folder, name, LOCAL_NAMES))
  if (before === undefined || renewed === undefined) throw new Error('two certificates were to be made')
  const files = { cert: join(directory, 'server.pem'), key: join(directory, 'server.key') }
  const install = ({ certFile, keyFile }: typeof before) => {
    copyFileSync(certFile, files.cert)
    copyFileSync(keyFile, files.key)
  }
  install(before)
  const server = qscope(directory, ['serve'], {
    QSCOPE_WORKERS: '2',
    QSCOPE_GRPC_LISTEN: '127.0.0.1:0',
    QSCOPE_TLS_CERT_FILE: files.cert,
    QSCOPE_TLS_KEY_FILE: files.key,
    QSCOPE_TLS_RELOAD_INTERVAL: '100ms',
  })
  await server.until(/listens on/)
  const workersThatSaid = (message: string) =>
    server.stderr
      .split('\n')
      .filter((line) => line.includes(`"msg":"${message}"`))
      .map((line) => JSON.parse(line).worker)
      .sort()
  const untilBothSaid = async (message: string) => {
    while (workersThatSaid(message).length < 2) await sleep(50)
    expect(workersThatSaid(message)).toEqual([1, 2])
  }

  install(renewed)
  await untilBothSaid('TLS certificate replaced')
  const rotated = await run(directory, ['keyring', 'rotate', '--purpose', 'pepper', '--json'])
  expect(rotated.code).toBe(0)
  await untilBothSaid('keyring file reloaded')

  server.child.kill('SIGTERM')
  expect(await server.ended).toEqual({ code: 0, signal: null })
}, 180_000)
