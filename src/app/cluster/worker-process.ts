/** The process of one worker: its primary tells it how to serve, when to listen and when to stop. */
import cluster from 'node:cluster'
import { createLog } from '../../log/create-log.ts'
import { firstLineOf } from '../../message-of.ts'
import { openAppKeyring } from '../app.ts'
import { endOnAccident, serveUntilAsked } from '../serve.ts'
import { outliveSignals, stopSignal } from '../stop-signals.ts'
import { openTlsFiles } from '../tls-files.ts'
import { type Opening, WorkerChannel } from './worker-channel.ts'

async function serveAsWorker(channel: WorkerChannel, { config, number, fingerprintKey }: Opening): Promise<void> {
  const log = createLog(config.log, { worker: number, pid: process.pid })
  endOnAccident(log)
  outliveSignals(log)
  void stopSignal(log).then((signal) => channel.askToStop(signal))
  const tls = config.tls === null ? null : await openTlsFiles(config.tls, log)
  const keyring = await openAppKeyring(config, log)
  const sharing = channel.shareCounts(fingerprintKey)
  await serveUntilAsked(config, log, channel, { tls, keyring, sharing, setUp: { created: false } })
}

const { worker } = cluster
if (worker === undefined) throw new Error('a worker is started by the primary of a server')
const channel = new WorkerChannel(worker)
try {
  await serveAsWorker(channel, await channel.opening)
  process.exit(0)
} catch (error) {
  await channel.failed(firstLineOf(error))
  process.exit(1)
}
