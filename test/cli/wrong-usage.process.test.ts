import { expect, test } from 'vitest'
import { emptyFolder, qscope } from './process.ts'

const TIMEOUT = 60_000
const NOWHERE = ['--server', '127.0.0.1:1', '--client-id', 'orders']

test.each([
  [['clinet', 'list'], "qscope: unknown command 'clinet'\n(Did you mean client?)\n"],
  [['clinet', '--help'], "qscope: unknown command 'clinet'\n(Did you mean client?)\n"],
  [['client', 'lsit', '-h'], "qscope: unknown command 'lsit'\n(Did you mean list?)\n"],
  [['help', 'client', 'lsit'], "qscope: unknown command 'lsit'\n(Did you mean list?)\n"],
  [['client', 'help', 'lsit'], "qscope: unknown command 'lsit'\n(Did you mean list?)\n"],
  [['client', 'list', '--jsn', '--help'], "qscope: unknown option '--jsn'\n(Did you mean --json?)\n"],
  [['code', 'create', '--help', '--scop', 'a'], "qscope: unknown option '--scop'\n(Did you mean --scope?)\n"],
  [['token', 'verify'], "qscope: missing required argument 'token'\n"],
  [['client', 'create', '--type', 'publik'], "qscope: option '--type <type>' argument 'publik' is invalid."],
  [['token', 'verify', '-', ...NOWHERE], 'qscope: standard input is empty: enter the token\n'],
  [
    ['token', 'mint', ...NOWHERE, '--client-secret', '-'],
    'qscope: standard input is empty: enter the secret of orders\n',
  ],
  [['token', 'revocations', '--wait', '5s', ...NOWHERE], 'qscope: --wait requires --cursor\n'],
  [['token', 'exchange', '-', '--actor-token', '-', ...NOWHERE], 'qscope: standard input'],
  [
    ['code', 'create', 'web', '--redirect-uri', 'https://web.example', ...NOWHERE],
    'qscope: name the user who consented',
  ],
])(
  'qscope %j reports the problem in one line, and does nothing',
  async (args, problem) => {
    const { code, stdout, stderr } = await qscope(emptyFolder(), args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr.startsWith(problem), stderr).toBe(true)
  },
  TIMEOUT,
)
