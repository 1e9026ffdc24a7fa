/**
 * Builds the site of docs/ into site/dist: `npm run site`. Fails on a warning of the generator, on a link that leads
 * nowhere, and on files of other hosts. With `--check` it says and passes where the generator is not installed and the
 * registry does not answer, unless QSCOPE_TEST_REQUIRE demands the registry.
 */
import { BUILT_SITE, buildSite, RegistryDoesNotAnswer } from './build-site.ts'
import { siteProblems } from './site-problems.ts'

const isDemanded = (process.env['QSCOPE_TEST_REQUIRE'] ?? '').split(',').includes('registry')
const mayBeLeftOut = process.argv.includes('--check') && !isDemanded

try {
  const problems = [...buildSite(), ...siteProblems(BUILT_SITE)]
  for (const problem of problems) console.error(problem)
  if (problems.length > 0) process.exitCode = 1
  else console.log('site: built into site/dist, every link leads to a page and a heading')
} catch (error) {
  if (!(error instanceof RegistryDoesNotAnswer)) throw error
  if (mayBeLeftOut) console.warn(`NOT CHECKED: the site; ${error.message}`)
  else {
    console.error(`site: ${error.message}`)
    process.exitCode = 1
  }
}
