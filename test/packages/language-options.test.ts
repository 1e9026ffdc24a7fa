import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'

const FOLDER = resolve(import.meta.dirname, '..', '..', 'proto', 'qscope', 'v1')

/** `error_reason.proto` → `ErrorReasonProto`. */
function outerClass(file: string): string {
  const words = file.replace(/\.proto$/, '').split('_')
  return `${words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')}Proto`
}

it.each(readdirSync(FOLDER))('%s has the language options of docs/decisions/0023', (file) => {
  const options = readFileSync(join(FOLDER, file), 'utf8').match(/^option .*$/gm)
  expect(options).toEqual([
    'option csharp_namespace = "QScope.V1";',
    'option go_package = "qscope.internal/client/gen/qscope/v1;qscopev1";',
    'option java_multiple_files = true;',
    `option java_outer_classname = "${outerClass(file)}";`,
    'option java_package = "internal.qscope.v1";',
  ])
})
