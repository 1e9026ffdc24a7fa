import type { Kysely } from 'kysely'
import type { Logger } from '../../../logger.ts'
import type { Span } from '../../../trace.ts'
import type { AuditSeal } from '../../contract/audit-log.ts'
import type { AppendStores, Backend, BackendHealth, PoolLoad, ReadStores } from '../../contract/backend.ts'
import type { StoreContext } from '../../contract/context.ts'
import { StoreError } from '../../contract/errors.ts'
import type { LookUp, StoreObserver } from '../../store-observer.ts'
import { auditChainReads } from '../audit/chain-reads.ts'
import { auditReads } from '../audit/log.ts'
import { DatabaseError, storeError } from '../core/database-error.ts'
import type { Connected, Dialect, Execute, Writer } from '../core/dialect.ts'
import { hashKey } from '../core/hash-key.ts'
import { kyselyOver } from '../core/kysely.ts'
import { observed } from '../core/observed.ts'
import { backOff, isWorthAnotherTry } from '../core/retry.ts'
import { readBookkeeping } from '../migrate/bookkeeping.ts'
import type { MigrationStep } from '../migrate/migration-step.ts'
import { schemaStateOf } from '../migrate/schema-state.ts'
import { MIGRATIONS } from '../migrate/steps/all.ts'
import type { Database } from '../schema.ts'
import { accessTokenReads, findAccessTokens, findAccessTokensById } from '../tables/access-tokens.ts'
import { codeReads, findCodes } from '../tables/authorization-codes.ts'
import { clientSecretReads, findSecrets } from '../tables/client-secrets.ts'
import { clientReads, findClients, findClosedAudiences } from '../tables/clients.ts'
import { deviceAuthorizationReads, findDeviceCodes } from '../tables/device-authorizations.ts'
import { grantReads } from '../tables/grants.ts'
import { findRefreshTokens, findRefreshTokensById, refreshTokenReads } from '../tables/refresh-tokens.ts'
import { findActiveSigningKeys, findSigningKeys, signingKeyReads } from '../tables/signing-keys.ts'
import { userReads } from '../tables/users.ts'
import { commitThrough } from './commit-batch.ts'
import { ConnectionPool } from './connection-pool.ts'
import { DataLoader } from './data-loader.ts'
import { GroupCommit } from './group-commit.ts'
import { maintenanceOn } from './maintenance.ts'
import { SpeculativeTransactions } from './speculative-transactions.ts'
import { TransactionRunner } from './transaction-runner.ts'
import { writeSession } from './write-session.ts'

/** How long a health check may take, and how long of it a lock is waited for. */
const CHECK_MS = 2_000
const PROBE_PATIENCE_MS = 1_000

export interface BackendParts {
  readonly seal: AuditSeal
  readonly log: Logger
  /** A fresh UUID: names a chain of the audit log. */
  readonly newId: () => string
  /** In [0, 1); spreads retries. */
  readonly jitter: () => number
  /** How many calls may wait in each lane. */
  readonly maxQueuedCalls: number
  readonly observer?: StoreObserver | undefined
  /** The migrations that this server knows: all there are, unless told. */
  readonly migrations?: readonly MigrationStep[]
}

/** Puts a backend together from a connected database and what all databases share. */
export function createBackend(dialect: Dialect, connected: Connected, parts: BackendParts): Backend {
  /** What is wrong with the schema; until that is mended nothing else is read or written. */
  let misfit: string | null = null
  const refuseMisfit = () => {
    if (misfit !== null) throw new StoreError('unavailable', misfit)
  }
  const execute = withStoreErrors(connected.execute)
  const anySchema = kyselyOver(dialect.kysely, execute)
  const db = kyselyOver(dialect.kysely, async (statement) => {
    refuseMisfit()
    return await execute(statement)
  })
  const scan = withStoreErrors(connected.scan)
  const lists = kyselyOver(dialect.kysely, async (statement) => {
    refuseMisfit()
    return await scan(statement)
  })
  const { observer, jitter, maxQueuedCalls } = parts
  const { writers } = connected
  const laneOf = (writer: Writer) => {
    const session = writeSession(dialect, writer, parts)
    const slots = new ConnectionPool([session], maxQueuedCalls)
    return { slots, lane: new GroupCommit(commitThrough(slots, session, jitter), maxQueuedCalls, jitter, observer) }
  }
  const appends = laneOf(writers.append)
  const drafts = writers.drafts === writers.append ? appends : writers.drafts && laneOf(writers.drafts)
  const transactionSlots =
    writers.transactions.length === 0
      ? appends.slots
      : new ConnectionPool(
          writers.transactions.map((writer) => writeSession(dialect, writer, parts)),
          maxQueuedCalls,
        )
  const transactionLane = new TransactionRunner(transactionSlots, jitter, observer)
  const transactions =
    drafts === null ? transactionLane : new SpeculativeTransactions(drafts.lane, transactionLane, dialect)
  const lanes = [...new Set([appends, drafts ?? appends])]
  const { reads, waitingLookUps } = readStores(db, lists, parts.maxQueuedCalls, observer)

  /** However often it is run, drafted or alone, a transaction is one to whoever watches. */
  const begun = <T>(ctx: Omit<StoreContext, 'now'>, run: () => Promise<T>) =>
    observed(observer?.transactionBegun(ctx.span), run)

  /** Nobody waits for it, and nobody calls it off. */
  const housekeeping: Omit<StoreContext, 'now'> = {
    signal: new AbortController().signal,
    deadline: null,
    log: parts.log,
    rayId: 'housekeeping',
  }

  async function examine(signal: AbortSignal, seen: { readable: boolean }): Promise<string | null> {
    misfit = schemaStateOf(await readBookkeeping(anySchema), parts.migrations ?? MIGRATIONS).problem
    seen.readable = misfit === null
    if (misfit === null) await probe(signal)
    return misfit
  }

  /** A lock that is soon gone is no trouble. */
  async function probe(signal: AbortSignal): Promise<void> {
    const until = Date.now() + PROBE_PATIENCE_MS
    for (let attempts = 1; ; attempts += 1) {
      try {
        return await appends.slots.use({ signal, deadline: null }, ({ writer }) => writer.probe())
      } catch (error) {
        if (!isWorthAnotherTry(error, attempts, until)) throw error
        await backOff(attempts, until, jitter)
      }
    }
  }

  let closing: Promise<void> | null = null
  return {
    dialect: dialect.name,
    reads,
    maintenance: maintenanceOn(db, (work) => begun(housekeeping, () => transactionLane.runBare(housekeeping, work))),
    append: async (ctx, fill: (stores: AppendStores) => void) => {
      refuseMisfit()
      await appends.lane.add(ctx, fill)
    },
    transaction: async (ctx, work) => {
      refuseMisfit()
      return await begun(ctx, () => transactions.run(ctx, work))
    },
    check: async (): Promise<BackendHealth> => {
      const signal = AbortSignal.timeout(CHECK_MS)
      const seen = { readable: false }
      try {
        const problem = await withinTime(examine(signal, seen), signal)
        return problem === null ? { serving: true } : { serving: false, problem, ...seen }
      } catch (error) {
        return { serving: false, problem: signal.aborted ? NO_ANSWER : messageOf(error), ...seen }
      }
    },
    facts: () => dialect.facts(execute),
    load: () => ({
      pools: {
        read: connected.readLoad(),
        append: together(lanes.map(({ slots }) => slots.load)),
        transaction: transactionSlots.load,
      },
      waitingUnits: lanes.reduce((sum, { lane }) => sum + lane.waiting, 0),
      waitingLookUps: waitingLookUps(),
    }),
    close: () => {
      closing ??= (async () => {
        await Promise.all(lanes.map(({ lane }) => lane.close()))
        await Promise.all([...lanes.map(({ slots }) => slots), transactionSlots].map((slots) => slots.close()))
        await connected.close()
      })()
      return closing
    },
  }
}

function together(loads: readonly PoolLoad[]): PoolLoad {
  const sum = (of: (load: PoolLoad) => number) => loads.reduce((all, load) => all + of(load), 0)
  return { size: sum(({ size }) => size), used: sum(({ used }) => used), waiting: sum(({ waiting }) => waiting) }
}

const NO_ANSWER = `the database did not answer within ${CHECK_MS / 1_000} s`

/** The look-ups that calls are made of are batched; lists and counts are not, and are read apart from them. */
function readStores(db: Kysely<Database>, lists: Kysely<Database>, most: number, observer: StoreObserver | undefined) {
  const batchers: { readonly waiting: number }[] = []
  const batched = <Key, Value>(lookUp: LookUp, load: Load<Key, Value>, nameOf: (key: Key) => string, absent: Value) => {
    const batcher = new DataLoader(load, nameOf, absent, most, observer?.ofReads(lookUp))
    batchers.push(batcher)
    return (key: Key, span?: Span) => batcher.find(key, span)
  }
  const findClient = batched('clients', findClients(db), String, null)
  const hasClosedAudience = batched('closed_audiences', findClosedAudiences(db), String, false)
  const reads: ReadStores = Object.freeze({
    clients: {
      ...clientReads(db, findClient, hasClosedAudience),
      page: clientReads(lists, findClient, hasClosedAudience).page,
    },
    clientSecrets: clientSecretReads(lists, batched('client_secrets', findSecrets(db), String, [])),
    users: { ...userReads(db), page: userReads(lists).page },
    grants: grantReads(db),
    authorizationCodes: codeReads(batched('authorization_codes', findCodes(db), hashKey, null)),
    accessTokens: accessTokenReads(
      lists,
      batched('access_tokens', findAccessTokens(db), hashKey, null),
      batched('access_tokens_by_id', findAccessTokensById(db), String, null),
    ),
    refreshTokens: refreshTokenReads(
      lists,
      batched('refresh_tokens', findRefreshTokens(db), hashKey, null),
      batched('refresh_tokens_by_id', findRefreshTokensById(db), String, null),
    ),
    deviceAuthorizations: deviceAuthorizationReads(
      db,
      batched('device_authorizations', findDeviceCodes(db), hashKey, null),
    ),
    signingKeys: signingKeyReads(
      db,
      batched('signing_keys', findSigningKeys(db), String, null),
      batched('active_signing_keys', findActiveSigningKeys(db), String, null),
    ),
    auditLog: auditReads(lists),
    auditChains: auditChainReads(lists),
  })
  return { reads, waitingLookUps: () => batchers.reduce((sum, { waiting }) => sum + waiting, 0) }
}

type Load<Key, Value> = (keys: readonly Key[]) => Promise<ReadonlyMap<string, Value>>

function withStoreErrors(execute: Execute): Execute {
  return async (statement) => {
    try {
      return await execute(statement)
    } catch (error) {
      throw storeError(error)
    }
  }
}

async function withinTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  return await Promise.race([work, promise])
}

function messageOf(error: unknown): string {
  if (error instanceof StoreError || error instanceof DatabaseError) return error.message
  return error instanceof Error ? `the database cannot be used: ${error.message}` : 'the database cannot be used'
}
