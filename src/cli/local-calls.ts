import { create } from '@bufbuild/protobuf'
import { insistOnDatabase, openApp, openAppKeyring } from '../app/app.ts'
import { openKeyringFile } from '../app/open-keyring.ts'
import { uuidV7 } from '../crypto/random.ts'
import { registry } from '../errors/registry.ts'
import type { FailedResult } from '../results.ts'
import { operatorCallInfo } from '../rpc/call-info.ts'
import { reasonOf, sentenceOf } from '../rpc/rpc-status.ts'
import { withClient } from './call-access.ts'
import { type CallCredentials, CallFailure, type Calls } from './calls.ts'
import { openLog, readConfig } from './environment.ts'
import type { SessionOptions } from './session.ts'

/** Calls in this process, on the database itself, as its operator. */
export async function openLocalCalls(
  proof: CallCredentials,
  { readsOnly, needsKeyringFile, insistOnKeys }: Required<SessionOptions>,
): Promise<Calls> {
  const config = readConfig()
  const log = openLog(config, { quiet: true })
  insistOnDatabase(config)
  // A client that fails to prove itself leaves an audit event, which is sealed with a key.
  const missing = readsOnly && proof.client === null ? 'provisional' : 'create'
  const keyring =
    needsKeyringFile && config.keyringFile !== null
      ? openKeyringFile(config)
      : await openAppKeyring(config, log, missing)
  const app = await openApp(config, log, keyring)
  // What keeps a database from being written, such as a full disk, keeps nobody from looking into it.
  let onlyReadable: string | null = null
  try {
    const health = await app.backend.check()
    if (!health.serving && !health.readable) throw new Error(health.problem)
    if (!health.serving) onlyReadable = health.problem
    if (insistOnKeys) await app.checkKeys()
  } catch (error) {
    await app.close()
    throw error
  }
  return {
    provesClient: proof.client !== null,
    call: async (method, request) => {
      const rayId = uuidV7()
      const message = create(method.input, withClient(method, request, proof))
      const result = await app.pipeline.call(method, operatorCallInfo(rayId), message)
      if (result.ok) return result.value
      if (onlyReadable !== null && result.code === 'oauth.temporarily_unavailable') throw new Error(onlyReadable)
      throw failure(result, rayId)
    },
    close: () => app.close(),
  }
}

function failure(failed: FailedResult, rayId: string): CallFailure {
  const { code, details } = failed
  const { violations = [], metadata = {} } = details
  const description = sentenceOf(failed)
  return new CallFailure({
    reason: reasonOf(code),
    status: registry[code].status,
    description,
    violations,
    metadata,
    rayId,
  })
}
