/** The process of one worker. Its primary tells it how to serve, when to listen and when to stop. */
import cluster from 'node:cluster'
import { createLog } from '../log/create-log.ts'
import { firstLineOf } from '../message-of.ts'
import { type OpenCommand, WorkerChannel } from './cluster/worker-channel.ts'
import { openKeyring } from './keyring.ts'
import { runServer } from './server.ts'
import { exitOnUncaughtException, ignoreOtherSignals, stopSignal } from './signals.ts'
import { TlsFiles } from './trust/tls-files.ts'

async function serveAsWorker(channel: WorkerChannel, { config, number, fingerprintKey }: OpenCommand): Promise<void> {
  const log = createLog(config.log, { worker: number, pid: process.pid })
  exitOnUncaughtException(log)
  ignoreOtherSignals(log)
  void stopSignal(log).then((signal) => channel.requestStop(signal))
  const tls = config.tls === null ? null : await TlsFiles.open(config.tls, log)
  const keyring = await openKeyring(config, log)
  const counterSync = channel.openCounterSync(fingerprintKey)
  await runServer(config, log, channel, { tls, keyring, counterSync, setup: { created: false } })
}

const { worker } = cluster
if (worker === undefined) throw new Error('a worker is started by the primary of a server')
const channel = new WorkerChannel(worker)
try {
  await serveAsWorker(channel, await channel.openCommand)
  process.exit(0)
} catch (error) {
  await channel.reportFailure(firstLineOf(error))
  process.exit(1)
}
