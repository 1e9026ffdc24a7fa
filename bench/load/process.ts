/** The load process. It runs jobs one after another, and on another core than the server if there are two. */
import { runGrpcLoad } from './grpc-load.ts'
import { runHttp1Load } from './http1-load.ts'
import type { Job, LoadMessage, LoadResult } from './job.ts'

const tell = (message: LoadMessage) => process.send?.(message)

function run(job: Job): Promise<LoadResult> {
  const begun = () => void tell({ kind: 'begun' })
  switch (job.protocol) {
    case 'grpc':
      return runGrpcLoad(job, begun)
    case 'http1':
      return runHttp1Load(job, begun)
    default:
      return job satisfies never
  }
}

process.on('message', (job: Job) => {
  run(job).then(
    (result) => tell({ kind: 'ended', result }),
    (error: unknown) => tell({ kind: 'failed', reason: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
