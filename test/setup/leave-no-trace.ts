import { afterAll, vi } from 'vitest'

/**
 * Test files share processes, one after the other: what a file changed in its process is undone at its end.
 * Set-up file of vitest: runs before each test file.
 */
const environment = { ...process.env }

afterAll(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name]
  Object.assign(process.env, environment)
})
