/** Verifies one secret with bcrypt and reports whether it matched. Runs in the thread that `imported-hash.ts` starts. */
import { parentPort, workerData } from 'node:worker_threads'
import { compareSync } from 'bcryptjs'

parentPort?.postMessage(compareSync(workerData.secret, workerData.hash))
