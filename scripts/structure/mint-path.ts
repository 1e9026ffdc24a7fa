/**
 * `node scripts/structure/mint-path.ts [folder]` starts the server of a checkout on a database in memory and lists the source
 * files that one call of MintToken runs through, from the socket to the statement. The thread that writes is not among them.
 */
import { spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { connect } from '../../test/setup/client.ts'

const WARM_UP_CALLS = 20
const root = resolve(process.argv[2] ?? join(import.meta.dirname, '..', '..'))

interface Coverage {
  readonly result: readonly {
    readonly url: string
    readonly functions: readonly { readonly ranges: readonly { readonly count: number }[] }[]
  }[]
}

const server = spawn(process.execPath, ['--inspect=127.0.0.1:0', join(root, 'src', 'main.ts'), 'serve'], {
  env: { ...process.env, QSCOPE_DATABASE_URL: 'sqlite::memory:', QSCOPE_GRPC_LISTEN: '127.0.0.1:0' },
  stdio: ['ignore', 'pipe', 'pipe'],
})
try {
  let output = ''
  const said = async (pattern: RegExp) => {
    for (;;) {
      const [, found] = pattern.exec(output) ?? []
      if (found !== undefined) return found
      if (server.exitCode !== null) throw new Error(`the server ended: ${output}`)
      await new Promise((done) => setTimeout(done, 50))
    }
  }
  for (const stream of [server.stdout, server.stderr]) stream.setEncoding('utf8').on('data', (part) => (output += part))
  const inspector = await openInspector(await said(/(ws:\S+)/))
  const port = Number(await said(/listens on \S*:(\d+)/))
  const clientSecret = await said(/client secret\s+(\S+)/)
  const client = { clientId: 'admin', method: { case: 'clientSecret' as const, value: clientSecret } }
  const connection = connect(`127.0.0.1:${port}`)
  const mint = () => connection.call(TokenService.method.mintToken, { client })
  for (let call = 0; call < WARM_UP_CALLS; call += 1) await mint()
  await inspector.send('Profiler.enable')
  await inspector.send('Profiler.startPreciseCoverage', { callCount: true, detailed: false })
  await mint()
  const { result } = (await inspector.send('Profiler.takePreciseCoverage')) as Coverage
  const prefix = `file://${join(root, 'src')}/`
  const passed = result
    .filter(
      ({ url, functions }) => url.startsWith(prefix) && functions.some(({ ranges }) => (ranges[0]?.count ?? 0) > 0),
    )
    .map(({ url }) => url.slice(prefix.length))
    .filter((file) => !file.startsWith('gen/'))
  console.log(passed.toSorted().join('\n'))
  console.log(`\n${passed.length} files`)
} finally {
  server.kill('SIGTERM')
}
process.exit(0)

async function openInspector(url: string) {
  const socket = new WebSocket(url)
  const waiting = new Map<number, (result: unknown) => void>()
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data))
    waiting.get(id)?.(result)
  })
  await new Promise((open) => socket.addEventListener('open', open))
  let sent = 0
  return {
    send: (method: string, params: object = {}) =>
      new Promise<unknown>((resolve) => {
        sent += 1
        waiting.set(sent, resolve)
        socket.send(JSON.stringify({ id: sent, method, params }))
      }),
  }
}
