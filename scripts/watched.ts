/**
 * Loaded first by `npm run dev`. Node's watch mode has every worker thread report the modules it imports to whoever created
 * the thread. That is the server here, whose threads send answers only. `--watch-path` needs no reports.
 */
delete process.env['WATCH_REPORT_DEPENDENCIES']
