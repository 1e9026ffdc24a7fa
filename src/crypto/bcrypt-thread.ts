/** Verifies one secret by bcrypt, and tells whether it matched: for the thread that `imported-hash.ts` starts. */
import { parentPort, workerData } from 'node:worker_threads'
import { compareSync } from 'bcryptjs'

parentPort?.postMessage(compareSync(workerData.secret, workerData.hash))
