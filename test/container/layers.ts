import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { IMAGE, podman, testFolder } from './engine.ts'

const execute = promisify(execFile)

export interface ImageConfig {
  readonly User: string
  readonly Env: readonly string[]
  readonly Labels: Readonly<Record<string, string>>
  readonly Healthcheck: { readonly Test: readonly string[] }
  readonly Volumes: Readonly<Record<string, unknown>>
}

export interface SavedImage {
  /** The size that an engine reports. */
  readonly bytes: number
  readonly config: ImageConfig
  /** The paths of all layers, including those that later layers hide. */
  readonly paths: readonly string[]
  /** Each layer's archive. */
  readonly layers: readonly string[]
}

/** Exports the image, and reads its configuration and its layers. */
export async function savedImage(): Promise<SavedImage> {
  const [inspected] = JSON.parse(await podman('image', 'inspect', IMAGE))
  const folder = testFolder()
  await podman('save', '--format', 'docker-dir', '--output', folder, IMAGE)
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'))
  const layers = manifest.layers.map(({ digest }: { readonly digest: string }) =>
    join(folder, digest.replace(/^sha256:/, '')),
  )
  const lists = await Promise.all(layers.map(listOf))
  const config = { ...inspected.Config, Healthcheck: inspected.Healthcheck ?? inspected.Config.Healthcheck }
  return { bytes: inspected.Size, config, paths: lists.flat(), layers }
}

async function listOf(layer: string): Promise<readonly string[]> {
  const { stdout } = await execute('tar', ['-tf', layer], { maxBuffer: 64 * 1024 * 1024 })
  return stdout.split('\n').map((path) => path.replace(/^\.?\//, ''))
}

/** Whether a layer contains a text. */
export async function layerHolds(layer: string, text: string): Promise<boolean> {
  const script = 'tar -xOf "$1" | grep -aqF -- "$2"'
  try {
    await execute('bash', ['-o', 'pipefail', '-c', script, 'bash', layer, text])
    return true
  } catch (error) {
    // 1: grep found nothing; 141: grep found the text, and tar ended with SIGPIPE.
    if (error instanceof Error && 'code' in error && error.code === 1) return false
    if (error instanceof Error && 'code' in error && error.code === 141) return true
    throw error
  }
}
