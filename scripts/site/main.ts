/** Builds the site of docs/ into site/dist: `npm run site`. Fails on a warning of the generator, on a link that leads nowhere, and on files of other hosts. */
import { BUILT_SITE, buildSite } from './build-site.ts'
import { siteProblems } from './site-problems.ts'

const problems = [...buildSite(), ...siteProblems(BUILT_SITE)]
for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exit(1)
console.log('site: built into site/dist, every link leads to a page and a heading')
