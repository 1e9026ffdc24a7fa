import { getEventListeners } from 'node:events'
import { mkdtempSync, openAsBlob, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError } from '@connectrpc/connect'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { refusalOf } from '../../console/src/api/refusal.ts'
import { visibleRows } from '../../console/src/components/visible-rows.ts'
import { type AuditFilter, filterOf, matches, NO_FILTER, timesOf } from '../../console/src/pages/audit/audit-filter.ts'
import { exportEvents } from '../../console/src/pages/audit/export-events.ts'
import { headIn } from '../../console/src/pages/audit/exported-head.ts'
import { AuditFollowing } from '../../console/src/pages/audit/follow.ts'
import { lifeOf, placeOf, spanOf } from '../../console/src/pages/keys/life.ts'
import { referenceOf } from '../../console/src/pages/users/user-reference.ts'
import { linkTo, routeOf } from '../../console/src/route.ts'
import { ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts'
import { AuditEventSchema, WatchAuditEventsResponseSchema } from '../../src/gen/qscope/v1/audit_service_pb.ts'
import { SigningKeySchema } from '../../src/gen/qscope/v1/key_service_pb.ts'

describe('the address of a page', () => {
  it('leads back to the page and its id, whatever the id', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (id) => {
        const { page, id: found } = routeOf(linkTo('clients', id))
        expect([page, found]).toEqual(['clients', id])
      }),
    )
  })

  it('is read whatever somebody typed', () => {
    expect(routeOf('')).toMatchObject({ page: '', id: '' })
    expect(routeOf('#/clients/%zz?client=a')).toMatchObject({ page: 'clients', id: '%zz' })
    expect(routeOf('#/audit?client=a').parameters.get('client')).toBe('a')
  })
})

describe('the reference to a user', () => {
  it('keeps the white space of an external id, which the server compares exactly', () => {
    expect(referenceOf('externalId', ' ada ')).toEqual({ case: 'externalId', value: ' ada ' })
    expect(referenceOf('userId', ' 0190 ')).toEqual({ case: 'userId', value: '0190' })
  })
})

describe('the rows of a list', () => {
  it('are few, and hold what is seen, wherever it is scrolled to', () => {
    fc.assert(
      fc.property(fc.nat(50_000_000), fc.integer({ min: 1, max: 2_000 }), fc.nat(1_000_000), (top, height, count) => {
        const [from, to] = visibleRows(top, height, count)
        expect(from).toBeGreaterThanOrEqual(0)
        expect(to).toBeLessThanOrEqual(count)
        expect(to - from).toBeLessThanOrEqual(height / 44 + 18)
        const seen = Math.floor(top / 44)
        if (seen < count) expect(from <= seen && seen < to).toBe(true)
      }),
    )
  })
})

describe('the filter of the audit log', () => {
  const filter = { ...NO_FILTER, eventTypes: ' client.registered\nclient.updated ', clientId: ' orders ' }
  const event = create(AuditEventSchema, { eventType: 'client.updated', clientId: 'orders', userId: 'u', rayId: 'r' })

  it('keeps the events that have each thing that is asked for, and all events where nothing is', () => {
    expect(matches(event, NO_FILTER)).toBe(true)
    expect(matches(event, { ...filter, userId: 'u', rayId: 'r' })).toBe(true)
    const others: Partial<AuditFilter>[] = [
      { eventTypes: 'client' },
      { clientId: 'order' },
      { userId: 'v' },
      { rayId: 'R' },
    ]
    for (const other of others) expect(matches(event, { ...filter, ...other })).toBe(false)
    const ofNoClient = create(AuditEventSchema, { eventType: 'key.prepared' })
    expect(matches(ofNoClient, { ...NO_FILTER, clientId: 'orders' })).toBe(false)
  })

  it('asks the server for each thing that is given, and reads times in the time zone of the reader', () => {
    expect(filterOf(NO_FILTER)).toEqual({ eventTypes: [] })
    expect(filterOf({ ...filter, userId: 'u', rayId: 'r' })).toEqual({
      eventTypes: ['client.registered', 'client.updated'],
      clientId: 'orders',
      userId: 'u',
      rayId: 'r',
    })
    expect(timesOf(NO_FILTER)).toEqual({})
    expect(timesOf({ ...NO_FILTER, startTime: '2026-12-03T07:05', endTime: '2026-12-04T00:00' })).toEqual({
      startTime: timestampFromMs(new Date(2026, 11, 3, 7, 5).getTime()),
      endTime: timestampFromMs(new Date(2026, 11, 4).getTime()),
    })
  })
})

describe('the life of a key', () => {
  const at = (ms: number) => timestampFromMs(ms)
  const life = (times: Readonly<Record<string, ReturnType<typeof at>>>) => lifeOf(create(SigningKeySchema, times))

  it('goes from prepared to retired, and ends where its last token does', () => {
    const times = { prepareTime: at(0), activateTime: at(10), retireTime: at(30), lastTokenExpireTime: at(40) }
    expect(life(times)).toEqual([
      { state: 'prepared', from: 0, to: 10 },
      { state: 'signing', from: 10, to: 30 },
      { state: 'retired', from: 30, to: 40 },
    ])
  })

  it('goes on where nothing has ended it', () => {
    expect(life({ prepareTime: at(0) })).toEqual([{ state: 'prepared', from: 0, to: null }])
    expect(life({ prepareTime: at(0), activateTime: at(5) }).at(-1)).toEqual({ state: 'signing', from: 5, to: null })
  })

  it('is cut off by a revocation', () => {
    const times = { prepareTime: at(0), activateTime: at(10), retireTime: at(30), lastTokenExpireTime: at(90) }
    expect(life({ ...times, revokeTime: at(20) })).toEqual([
      { state: 'prepared', from: 0, to: 10 },
      { state: 'signing', from: 10, to: 20 },
      { state: 'revoked', from: 20, to: null },
    ])
  })

  it('lies on a line from the first key to the last expiry', () => {
    const lives = [life({ prepareTime: at(0), activateTime: at(50) })]
    expect(spanOf(lives, 100)).toEqual([0, 100])
    expect(lives.flat().map((stretch) => placeOf(stretch, 0, 100))).toEqual([
      { left: 0, width: 50 },
      { left: 50, width: 50 },
    ])
  })
})

describe('what a failed call comes to', () => {
  const refused = (reason: string, metadata: Record<string, string>) =>
    refusalOf(
      new ConnectError('no', Code.PermissionDenied, undefined, [
        { desc: ErrorInfoSchema, value: { reason, metadata } },
      ]),
    )

  it('is a lack of permissions only where the token lacks them', () => {
    const { missingPermissions } = refused('OAUTH_INSUFFICIENT_SCOPE', { required_scopes: 'qscope:a qscope:b' })
    expect(missingPermissions).toEqual(['qscope:a', 'qscope:b'])
    expect(refused('RESOURCE_CONFLICT', { required_scopes: 'x' }).missingPermissions).toEqual([])
  })

  it('ends the session only where its own token is refused', () => {
    expect(refused('OAUTH_INVALID_TOKEN', {}).endsSession).toBe(true)
    expect(refused('OAUTH_INVALID_TOKEN', { token: 'presented' }).endsSession).toBe(false)
  })

  it('may have made the change if no answer came or the server failed, and not where the server says that nothing was written', () => {
    const uncertain = (code: Code, reason?: string) => {
      const details = reason === undefined ? [] : [{ desc: ErrorInfoSchema, value: { reason } }]
      return refusalOf(new ConnectError('no', code, undefined, details)).isUncertain
    }
    expect(refusalOf(new TypeError('Failed to fetch')).isUncertain).toBe(true)
    expect(uncertain(Code.DeadlineExceeded)).toBe(true)
    expect(uncertain(Code.Unavailable)).toBe(true)
    expect(uncertain(Code.Internal, 'OAUTH_SERVER_ERROR')).toBe(true)
    expect(uncertain(Code.Unavailable, 'OAUTH_TEMPORARILY_UNAVAILABLE')).toBe(false)
    expect(uncertain(Code.Aborted, 'RESOURCE_CONFLICT')).toBe(false)
    expect(uncertain(Code.InvalidArgument)).toBe(false)
  })

  it('is no answer at all where the network failed', () => {
    expect(refusalOf(new TypeError('Failed to fetch'))).toMatchObject({ isLost: true, reason: '' })
    expect(refusalOf(new ConnectError('gone', Code.NotFound)).isLost).toBe(false)
  })
})

describe('following the audit log', () => {
  it('goes on behind the last cursor when a stream is lost, and after a refusal when it is told to', async () => {
    const cursors: string[] = []
    const heard: string[] = []
    async function* watch(cursor: string) {
      cursors.push(cursor)
      if (cursors.length === 2) throw new ConnectError('no', Code.ResourceExhausted)
      yield create(WatchAuditEventsResponseSchema, { cursor: 'a', event: { eventId: '1' } })
      yield create(WatchAuditEventsResponseSchema, { cursor: 'b' })
      if (cursors.length === 3) throw new ConnectError('enough', Code.PermissionDenied)
      throw new TypeError('network error')
    }
    const follower = {
      onEvent: ({ eventId }: { eventId: string }) => void heard.push(eventId),
      onConnected: (isConnected: boolean) => void (isConnected || heard.push('disconnected')),
    }
    const following = new AuditFollowing()
    const { signal } = new AbortController()
    await expect(following.run(watch, follower, signal)).rejects.toThrow('no')
    await expect(following.run(watch, follower, signal)).rejects.toThrow('enough')
    expect(cursors).toEqual(['', 'b', 'b'])
    expect(heard).toEqual(['1', 'disconnected', 'disconnected', '1', 'disconnected'])
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('gives up a stream that has been silent for 40 seconds, and goes on behind its last cursor', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const cursors: string[] = []
    const connected: boolean[] = []
    async function* watch(cursor: string, signal: AbortSignal) {
      cursors.push(cursor)
      yield create(WatchAuditEventsResponseSchema, { cursor: 'a' })
      await new Promise((resolve) => setTimeout(resolve, 30_000))
      yield create(WatchAuditEventsResponseSchema, { cursor: 'b' })
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    }
    const left = new AbortController()
    const follower = {
      onEvent: () => undefined,
      onConnected: (isConnected: boolean) => void connected.push(isConnected),
    }
    const done = new AuditFollowing().run(watch, follower, left.signal)
    await vi.advanceTimersByTimeAsync(69_000)
    expect(connected).toEqual([true, true])
    await vi.advanceTimersByTimeAsync(1_500)
    expect(connected).toEqual([true, true, false])
    await vi.advanceTimersByTimeAsync(1_000)
    expect(cursors).toEqual(['', 'b'])
    expect(connected).toEqual([true, true, false, true])
    left.abort()
    await vi.advanceTimersByTimeAsync(30_000)
    await done
  })
})

describe('the exported head in a file', () => {
  const head = '{"format":"qscope-audit-head/1","chains":[]}'

  it.each([
    ['of the page', `${head}\n`],
    ['of the command line as JSON', JSON.stringify({ head, chains: '1' }, null, 2)],
    ['at the end of an export', `{"writerId":"a"}\n{"head":${head},"after":null}\n`],
  ])('is found in a file %s', async (_of, text) => {
    expect(await headIn(new Blob([text]))).toBe(head)
  })

  it('is refused as a file that cannot be read where the file was written since it was chosen', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'qscope-head-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const path = join(directory, 'head.json')
    writeFileSync(path, head)
    const file = await openAsBlob(path)
    expect(await headIn(file)).toBe(head)
    writeFileSync(path, `${head}\n`)
    const refusal = await headIn(file).catch(refusalOf)
    expect(refusal).toMatchObject({ message: 'The file cannot be read. Choose it again.', isLost: false })
  })

  it('is never empty, for which the server would compare nothing', async () => {
    expect(await headIn(new Blob(['\n']))).toBe('null')
    expect(await headIn(new Blob(['no head']))).toBe('no head')
  })
})

describe('an export of events', () => {
  const pageAt = async (pageToken: string) => ({
    events: [
      create(AuditEventSchema, { eventId: `${pageToken}1` }),
      create(AuditEventSchema, { eventId: `${pageToken}2` }),
    ],
    nextPageToken: pageToken.length < 2 ? `${pageToken}x` : '',
  })

  it('holds every page, and says so', async () => {
    const counts: number[] = []
    const { lines, isCut } = await exportEvents(pageAt, (count) => void counts.push(count))
    expect(lines.map((line) => JSON.parse(line).eventId)).toEqual(['1', '2', 'x1', 'x2', 'xx1', 'xx2'])
    expect([isCut, counts]).toEqual([false, [2, 4, 6]])
  })

  it.each([
    [4, 4, true],
    [6, 6, false],
  ])('says whether events are missing where it may hold %d', async (most, count, cut) => {
    const { lines, isCut } = await exportEvents(pageAt, () => undefined, most)
    expect([lines.length, isCut]).toEqual([count, cut])
  })
})
