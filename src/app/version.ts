import manifest from '../../package.json' with { type: 'json' }

/** The version of QScope that runs. */
export function ownVersion(): string {
  return manifest.version
}
