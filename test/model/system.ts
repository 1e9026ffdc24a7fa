import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf'
import { pino } from 'pino'
import { openApp } from '../../src/app/app.ts'
import { parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { drawKeyMaterial, Keyring } from '../../src/crypto/keyring.ts'
import { uuidV7 } from '../../src/crypto/random.ts'
import type { PurgeKind } from '../../src/domain/expiry.ts'
import { type EpochMs, epochMs } from '../../src/domain/ids.ts'
import type { Result } from '../../src/results.ts'
import type { CallInfo } from '../../src/rpc/call-info.ts'
import { operatorCallInfo } from '../../src/rpc/call-info.ts'
import { openMigrations } from '../../src/stores/open.ts'

export const ISSUER = 'http://127.0.0.1:50051'
const PURGES = [
  'access_tokens',
  'grants',
  'device_authorizations',
  'assertion_ids',
] as const satisfies readonly PurgeKind[]

/** The application as the model's counterpart: called without sockets, at a time that the test sets. */
export interface System {
  now(): EpochMs
  advance(ms: number): void
  /** Management methods need no credentials; the others take them in the request. */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<Result<MessageShape<O>>>
  /** Deletes all that has expired and erases the answers whose replay window is over, as the server does by itself. */
  purge(): Promise<void>
  close(): Promise<void>
}

export async function openSystem(databaseUrl: string): Promise<System> {
  const log = pino({ level: 'silent' })
  const migrations = await openMigrations(databaseUrl, log)
  await migrations.up()
  await migrations.close()
  const environment = readEnvironment({
    QSCOPE_DATABASE_URL: databaseUrl,
    QSCOPE_KEYRING_FILE: '/nowhere',
    QSCOPE_ISSUER: ISSUER,
  })
  let time = epochMs(Date.now())
  const app = await openApp(parseConfig(environment), log, new Keyring(drawKeyMaterial()), { now: () => time })
  return {
    now: () => time,
    advance: (ms) => {
      time = epochMs(time + ms)
    },
    call: async (method, request) => await app.pipeline.call(method, origin(time), create(method.input, request)),
    purge: async () => {
      const { maintenance } = app.backend
      for (const kind of PURGES) while ((await maintenance.purge(kind, time, 1_000)) > 0);
      while ((await maintenance.eraseReplays(time, 1_000)) > 0);
    },
    close: () => app.close(),
  }
}

/** Each moment has another address, so that limits by address do not apply. */
function origin(time: EpochMs): CallInfo {
  return { ...operatorCallInfo(uuidV7()), peer: `at-${time}` }
}
