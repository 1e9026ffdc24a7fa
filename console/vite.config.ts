import { join } from 'node:path'
import { defineConfig } from 'vite'

/** Where `vite console` finds a server, to work on the pages: `npm start`. */
const SERVER = 'http://127.0.0.1:8080'

export default defineConfig({
  root: import.meta.dirname,
  base: '/console/',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  server: { proxy: { '^/qscope\\.v1\\.': SERVER } },
  build: {
    outDir: join(import.meta.dirname, '..', 'dist', 'console'),
    emptyOutDir: true,
    // Nothing is in the page itself, where the policy would refuse it.
    assetsInlineLimit: 0,
    modulePreload: false,
  },
})
