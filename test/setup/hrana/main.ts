/** A server of the tests: `node main.ts <port> <options as JSON>`. */
import { HranaServer, type HranaServerOptions } from './server.ts'

const [, , port = '', options = ''] = process.argv
// What starts it writes these options.
await new HranaServer(JSON.parse(options) as HranaServerOptions).listen(Number(port))
