import { create, toBinary } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import { parseStatus } from '../../src/cli/commands/decode-status.ts'
import { ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts'
import { StatusSchema } from '../../src/gen/google/rpc/status_pb.ts'
import { UserSchema } from '../../src/gen/qscope/v1/user_pb.ts'
import { qscope, temporaryDirectory } from '../e2e/process.ts'

const info = create(ErrorInfoSchema, { reason: 'RESOURCE_NOT_FOUND', domain: 'qscope' })
const status = create(StatusSchema, {
  code: 5,
  message: 'There is no such resource.',
  details: [anyPack(ErrorInfoSchema, info), anyPack(UserSchema, create(UserSchema, { userId: '1' }))],
})
const trailer = Buffer.from(toBinary(StatusSchema, status)).toString('base64')
const connectError = JSON.stringify({
  code: 'not_found',
  message: status.message,
  details: [{ type: 'google.rpc.ErrorInfo', value: Buffer.from(toBinary(ErrorInfoSchema, info)).toString('base64') }],
})

async function decode(args: readonly string[], input = '') {
  const started = qscope(await temporaryDirectory(), ['decode-status', ...args])
  started.child.stdin.end(input)
  const { code } = await started.ended
  return { code, stdout: started.stdout, stderr: started.stderr }
}

describe('qscope decode-status', () => {
  it('decodes a trailer, and reports the length of an unknown detail', async () => {
    expect(await decode([trailer])).toEqual({
      code: 0,
      stdout:
        'NOT_FOUND: There is no such resource.\nErrorInfo {"reason":"RESOURCE_NOT_FOUND","domain":"qscope"}\nqscope.v1.User (3 bytes)\n',
      stderr: '',
    })
  })

  it('decodes the output of buf curl, with any text around it, and prints JSON', async () => {
    const { code, stdout } = await decode(['--json'], `npm warn something\n${connectError}\n`)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      code: 5,
      message: 'There is no such resource.',
      details: [
        { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'RESOURCE_NOT_FOUND', domain: 'qscope' },
      ],
    })
  })

  it('reports wrong usage for other input', async () => {
    expect(await decode(['no status'])).toMatchObject({ code: 2, stdout: '' })
  })

  it.each([
    '',
    'no status',
    '{"code": 1}',
    '{',
    '!!!',
    '{"code": "not_found", "details": [{"type": "a", "value": "!"}]}',
  ])('takes %j for neither', (text) => {
    expect(parseStatus(text)).toBeNull()
  })
})
