import { createRegistry, type DescFile, type Registry } from '@bufbuild/protobuf'
import { file_google_rpc_error_details } from '../../gen/google/rpc/error_details_pb.ts'
import type { Route } from '../../rpc/routes.ts'

/**
 * Every type that an answer may hold. JSON spells out what is in an `Any`, such as the details of a status in a batch's
 * results, so all of these must be known before a call is answered: one that ran cannot be taken back for want of words.
 */
export function jsonTypes(routes: readonly Route[]): Registry {
  const files = new Set<DescFile>()
  const add = (file: DescFile): void => {
    if (files.has(file)) return
    files.add(file)
    for (const imported of file.dependencies) add(imported)
  }
  add(file_google_rpc_error_details)
  for (const { method } of routes) add(method.parent.file)
  return createRegistry(...files)
}
