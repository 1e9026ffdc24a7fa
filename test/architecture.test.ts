import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { OLD_NAMES } from '../scripts/structure/old-names.ts'
import { identifiersOf, SourceTree } from '../scripts/structure/source-tree.ts'

/**
 * What each layer may import of the others, beside itself and what all share; the first matching row counts.
 * All share `domain`, `errors`, and the files directly in `src`, which import nothing else.
 */
const LAYERS: readonly { readonly layer: string; readonly files: RegExp; readonly may: readonly string[] }[] = [
  { layer: 'gen', files: /^gen\//, may: [] },
  { layer: 'main', files: /^main\.ts$/, may: ['cli'] },
  // What flows and what comes before them answer and record alike.
  { layer: 'answers', files: /^(store-failure|audit-event)\.ts$/, may: ['crypto', 'stores/contract'] },
  { layer: 'shared', files: /^(domain\/|errors\/|[a-z-]+\.ts$)/, may: [] },
  { layer: 'expressions', files: /^expressions\//, may: [] },
  { layer: 'config', files: /^config\//, may: ['expressions'] },
  { layer: 'log', files: /^log\//, may: ['config'] },
  { layer: 'crypto', files: /^crypto\//, may: [] },
  { layer: 'stores/contract', files: /^stores\/contract\//, may: [] },
  { layer: 'stores', files: /^stores\//, may: ['stores/contract'] },
  { layer: 'rate-limits', files: /^rate-limits\//, may: ['stores/contract', 'crypto'] },
  { layer: 'auth', files: /^auth\//, may: ['answers', 'stores/contract', 'crypto', 'rate-limits'] },
  {
    layer: 'flows',
    files: /^flows\//,
    may: ['answers', 'auth', 'rate-limits', 'crypto', 'expressions', 'stores/contract'],
  },
  { layer: 'rpc', files: /^rpc\//, may: ['answers', 'flows', 'auth', 'rate-limits', 'gen'] },
  { layer: 'transports', files: /^transports\/[a-z-]+\.ts$/, may: ['crypto'] },
  { layer: 'transports/grpc', files: /^transports\/grpc\//, may: ['transports', 'rpc', 'rate-limits', 'gen'] },
  // Imports nothing of this project: it could stand alone.
  { layer: 'transports/http2', files: /^transports\/http2\/(?!grpc\/)/, may: [] },
  { layer: 'transports/http2/grpc', files: /^transports\/http2\/grpc\//, may: ['transports/http2'] },
  {
    layer: 'transports/grpc-native',
    files: /^transports\/grpc-native\//,
    may: ['transports/http2', 'transports/http2/grpc', 'transports/grpc', 'transports', 'rpc'],
  },
  { layer: 'transports/grpc-js', files: /^transports\/grpc-js\//, may: ['transports/grpc', 'transports', 'rpc'] },
  { layer: 'transports/http', files: /^transports\/http\//, may: ['transports', 'rpc', 'gen'] },
  {
    layer: 'telemetry',
    files: /^telemetry\//,
    may: ['rpc', 'flows', 'auth', 'stores/contract', 'stores'],
  },
  { layer: 'app', files: /^app\//, may: ['*'] },
  { layer: 'cli', files: /^cli\//, may: ['*'] },
]

/** Why a module may hold what lives as long as the process. */
const MODULE_STATE: Readonly<Record<string, string>> = {
  'app/worker-process.ts channel': 'the entry of a process of its own: nothing imports it',
  'crypto/random.ts POOL': 'random bytes are drawn many at once; what one server takes tells another nothing',
  'crypto/random.ts SEQUENCE': 'UUIDs of one millisecond are in order only if the whole process numbers them together',
}

const tree = new SourceTree(resolve(import.meta.dirname, '..', 'src'))
const { files } = tree

function layerOf(file: string): string {
  const found = LAYERS.find(({ files: pattern }) => pattern.test(file))
  if (found === undefined) throw new Error(`${file} belongs to no layer: add it to the table, or move it`)
  return found.layer
}

describe('architecture', () => {
  it('sees the whole source tree', () => {
    expect(files.length).toBeGreaterThan(60)
  })

  it.each(files)('%s imports only what its layer may', (file) => {
    const layer = layerOf(file)
    const may = LAYERS.find((row) => row.layer === layer)?.may ?? []
    const wrong = tree.importsWithin(file).filter(({ target }) => {
      const other = layerOf(target)
      return other !== layer && other !== 'shared' && !may.includes('*') && !may.includes(other)
    })
    expect(wrong.map(({ target }) => target)).toEqual([])
  })

  it('has no files that import each other, directly or through others', () => {
    expect(tree.fileCycles()).toEqual([])
  })

  it('has no two folders that import each other', () => {
    expect(tree.mutualFolders()).toEqual([])
  })

  it('holds nothing in a module that lives as long as the process, but for what is listed with a reason', () => {
    expect(tree.moduleState().map(({ file, name }) => `${file} ${name}`)).toEqual(Object.keys(MODULE_STATE))
  })

  it('lets the application and the command line see stores by their contract and how they are opened', () => {
    const wrong = files
      .filter((file) => /^(app|cli)\//.test(file))
      .flatMap((file) => tree.importsWithin(file).map(({ target }) => ({ file, target })))
      .filter(({ target }) => /^stores\//.test(target) && !/^stores\/(contract\/|open\.ts$)/.test(target))
    expect(wrong).toEqual([])
  })

  it('calls nothing by a name of the private language that the field has a word for', () => {
    const found = files.flatMap((file) =>
      Array.from(identifiersOf(tree.textOf(file)).matchAll(OLD_NAMES), ([name]) => `${file}: ${name}`),
    )
    expect(found).toEqual([])
  })

  const outside = (package_: RegExp, home: RegExp) =>
    files.filter((file) => !home.test(file) && tree.importsOf(file).some(({ specifier }) => package_.test(specifier)))

  it('keeps grpc-js in transports/grpc-js/ and in the command that calls a server', () => {
    expect(outside(/^@grpc\//, /^(transports\/grpc-js\/|cli\/)/)).toEqual([])
  })

  it('builds HTTP/2 on sockets alone, and gRPC upon it', () => {
    const http2 = files.filter((file) => file.startsWith('transports/http2/'))
    expect(http2.length).toBeGreaterThan(20)
    const allowed = /^(\.|node:(net|tls|crypto|zlib|buffer)$)/
    expect(http2.filter((file) => tree.importsOf(file).some(({ specifier }) => !allowed.test(specifier)))).toEqual([])
    const inside = (target: string) => target.startsWith('transports/http2/')
    expect(http2.filter((file) => !tree.importsWithin(file).every(({ target }) => inside(target)))).toEqual([])
  })

  it('keeps CEL in expressions/', () => {
    expect(outside(/^@bufbuild\/cel/, /^expressions\//)).toEqual([])
  })

  it('keeps Connect in transports/http/', () => {
    expect(outside(/^@connectrpc\//, /^transports\/http\//)).toEqual([])
  })

  it('keeps what measures and traces in telemetry/, and its SDK in what is loaded on demand', () => {
    expect(outside(/^(prom-client|@opentelemetry\/)/, /^telemetry\//)).toEqual([])
    const sdk = files.filter((file) =>
      tree.importsOf(file).some(({ specifier }) => specifier.startsWith('@opentelemetry/')),
    )
    expect(sdk.toSorted()).toEqual(['telemetry/open-log-exporter.ts', 'telemetry/open-tracer.ts'])
    const eager = files.filter((file) =>
      tree.importsWithin(file).some(({ target, typeOnly }) => !typeOnly && sdk.includes(target) && !sdk.includes(file)),
    )
    expect(eager).toEqual([])
  })

  it('loads the application and the stores only for commands that work on a database', () => {
    const loaded = new Set(['cli/program.ts'])
    for (const file of loaded) {
      if (!files.includes(file)) continue
      for (const { target, typeOnly } of tree.importsWithin(file)) if (!typeOnly) loaded.add(target)
    }
    expect(loaded).toContain('cli/commands/serve.ts')
    expect(
      [...loaded].filter((file) => /^(app\/(app|serve)\.ts|flows\/|rpc\/handlers\/|stores\/sql\/)/.test(file)),
    ).toEqual([])
  })

  it('keeps SQL in stores/sql/', () => {
    expect(outside(/^(kysely|better-sqlite3|libsql|@libsql\/|mysql2|pg)\b/, /^stores\//)).toEqual([])
  })

  it('lets no flow, domain value or store see a message', () => {
    expect(outside(/^@bufbuild\/(?!cel$)/, /^(transports|rpc|cli|gen)\//)).toEqual([])
  })

  it('keeps the client package out of the server', () => {
    expect(outside(/^@qscope\/|packages\/client/, /^$/)).toEqual([])
  })

  it('draws random numbers in crypto/ only', () => {
    const drawing = /\bMath\.random\(|\brandom(Bytes|FillSync|UUID|Int)\b|\bgetRandomValues\b/
    const wrong = files
      .filter((file) => !file.startsWith('crypto/') && !file.startsWith('gen/'))
      .filter((file) =>
        tree
          .textOf(file)
          .split('\n')
          .some(
            (line) => drawing.test(line) && !line.startsWith('import ') && !/randomBytes\(\d+\)\.toString/.test(line),
          ),
      )
    expect(wrong).toEqual([])
  })

  it('lets flows know stores by their contract, and only the runner by more than types', () => {
    const wrong = files
      .filter((file) => file.startsWith('flows/') && file !== 'flows/runner.ts')
      .filter((file) =>
        tree.importsWithin(file).some(({ target, typeOnly }) => target.startsWith('stores/') && !typeOnly),
      )
    expect(wrong).toEqual([])
  })

  it('lets the command line write to a terminal in one file only, where all is made printable', () => {
    const writing = files
      .filter((file) => file.startsWith('cli/'))
      .filter((file) => /std(out|err)\.write|console\./.test(tree.textOf(file)))
    expect(writing).toEqual(['cli/output/terminal.ts'])
  })

  it('has no default exports, barrels, utils or helpers', () => {
    const own = files.filter((file) => !file.startsWith('gen/'))
    expect(own.filter((file) => /export default/.test(tree.textOf(file)))).toEqual([])
    expect(own.filter((file) => /(^|\/)(index|utils?|helpers?)(\.ts|\/)/.test(file))).toEqual([])
  })
})

describe('the client package', () => {
  const specifiersOf = (path: string) =>
    [...readFileSync(path, 'utf8').matchAll(/^(?:import|export)\s(?:[^'";]*?from\s+)?'([^']+)'/gm)].map(
      ([, specifier = '']) => specifier,
    )
  const home = resolve(import.meta.dirname, '..', 'packages', 'client', 'src')
  const own = readdirSync(home, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('gen/'))
    .map((file) => ({ file, specifiers: specifiersOf(join(home, file)) }))
  /** The files whose imports match, but for those that may. */
  const importing = (pattern: RegExp, may: RegExp) =>
    own.filter(({ file, specifiers }) => !may.test(file) && specifiers.some((each) => pattern.test(each)))

  it('reaches nothing beyond its own folder', () => {
    const leaving = own.filter(({ file, specifiers }) =>
      specifiers.some(
        (each) => each.startsWith('.') && relative(home, resolve(home, dirname(file), each)).startsWith('..'),
      ),
    )
    expect(own.length).toBeGreaterThan(20)
    expect(leaving).toEqual([])
  })

  it('knows each transport in one folder', () => {
    expect(importing(/^@grpc\/|\/grpc-js\//, /^grpc-js(\/|\.ts$)/)).toEqual([])
    expect(importing(/^@connectrpc\/|\/connect\//, /^connect(\/|\.ts$)/)).toEqual([])
  })

  it('takes from npm what its manifest names', () => {
    const named = /^(@bufbuild\/protobuf|jose|@grpc\/grpc-js|@connectrpc\/connect|node:[a-z0-9]+)(\/|$)/
    expect(
      own.flatMap(({ specifiers }) => specifiers.filter((each) => !each.startsWith('.') && !named.test(each))),
    ).toEqual([])
  })
})

describe('the console', () => {
  const home = resolve(import.meta.dirname, '..', 'console', 'src')
  /** What each folder may import of the others; files beside the folders join them together, or are shared. */
  const may: Readonly<Record<string, readonly string[]>> = {
    api: [],
    hooks: ['api'],
    components: ['api', 'hooks'],
    pages: ['api', 'hooks', 'components'],
  }
  const SHARED = /^(text|download|route)\.ts$/
  const folderOf = (file: string) => file.split('/', 1).join('')
  const own = readdirSync(home, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file))
    .map((file) => {
      const text = readFileSync(join(home, file), 'utf8')
      const specifiers = [...text.matchAll(/^(?:import|export)\s(?:[^'";]*?from\s+)?'([^']+)'/gm)].map(
        ([, specifier = '']) => specifier,
      )
      const targets = specifiers
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => relative(home, resolve(home, dirname(file), specifier)))
      return { file, text, targets, packages: specifiers.filter((specifier) => !specifier.startsWith('.')) }
    })

  it('takes of the server its contract alone, and the names of the permissions', () => {
    const outside = own.flatMap(({ targets }) => targets).filter((target) => target.startsWith('..'))
    expect(own.length).toBeGreaterThan(30)
    expect(outside.length).toBeGreaterThan(10)
    expect(
      outside.filter((target) => !/^\.\.\/\.\.\/src\/(gen\/(qscope|google)\/|domain\/scopes\.ts$)/.test(target)),
    ).toEqual([])
  })

  it('imports downward only', () => {
    const wrong = own.flatMap(({ file, targets }) => {
      const allowed = may[folderOf(file)]
      if (allowed === undefined) return []
      return targets
        .filter((target) => !target.startsWith('..') && !SHARED.test(target))
        .filter((target) => folderOf(target) !== folderOf(file) && !allowed.includes(folderOf(target)))
        .map((target) => `${file} → ${target}`)
    })
    expect(wrong).toEqual([])
  })

  it('is made of the packages that are bundled with it', () => {
    const named = /^(preact(\/hooks)?|@bufbuild\/protobuf(\/wkt)?|@connectrpc\/connect(-web)?)$/
    expect(own.flatMap(({ packages }) => packages.filter((each) => !named.test(each)))).toEqual([])
  })

  it('stores nothing in the browser, and makes no markup of text', () => {
    const forbidden =
      /\b(localStorage|sessionStorage|indexedDB|document\.cookie|innerHTML|outerHTML|dangerouslySetInnerHTML)\b/
    expect(own.filter(({ text }) => forbidden.test(text)).map(({ file }) => file)).toEqual([])
  })
})
