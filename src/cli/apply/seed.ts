import type { App } from '../../app/app.ts'
import type { SeededClient } from '../../app/cluster/lifecycle.ts'
import { AppCalls } from '../connection/app-calls.ts'
import { applyItem, type Configuration } from './plan.ts'
import type { Delivery, SecretsPlace } from './secrets-directory.ts'

const SEED_OWNER = 'seed'

/** Collects secrets instead of writing them, for servers without persistent state. */
class SeededSecrets implements SecretsPlace {
  readonly clients: SeededClient[] = []

  isPending(): boolean {
    return false
  }

  existingFile(): string | null {
    return null
  }

  pendingFile(): string {
    return ''
  }

  prepare(clientId: string): Delivery {
    return {
      deliver: (clientSecret) => void this.clients.push({ clientId, clientSecret }),
      withdraw: () => undefined,
    }
  }
}

/** Applies documents to an application before it serves calls. Returns the generated secrets. */
export async function seedApp(app: App, configuration: Configuration): Promise<readonly SeededClient[]> {
  const calls = new AppCalls(app, { client: null, bearer: null })
  const secrets = new SeededSecrets()
  const items = await configuration.plan({ calls, owner: SEED_OWNER, adopt: true, secrets }, null)
  for (const item of items) await applyItem(item)
  return secrets.clients
}
