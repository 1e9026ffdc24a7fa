/** The process of a test server: `node main.ts <port> <options as JSON>`. */
import { HranaServer, type HranaServerOptions } from './server.ts'

const [, , port = '', options = ''] = process.argv
// The starter writes these options.
await new HranaServer(JSON.parse(options) as HranaServerOptions).listen(Number(port))
