import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const PAGE = join(resolve(import.meta.dirname, '..', '..'), 'docs', 'envoy.md')

/** An example of docs/envoy.md: the `nth` block of YAML below this heading, before the next one. */
export function documentedExample(heading: string, nth = 0): string {
  const sections = readFileSync(PAGE, 'utf8').split(/^##+ /m)
  const section = sections.find((each) => each.startsWith(`${heading}\n`)) ?? ''
  const example = [...section.matchAll(/^```yaml\n([\s\S]*?)^```/gm)][nth]?.[1]
  if (example === undefined) throw new Error(`the page has no example ${nth} below "${heading}"`)
  return example
}

/** The same with the ports and the files that a test has. A port or a file of the page that it does not name is an error. */
export function placedExample(
  example: string,
  ports: Readonly<Record<string, number>>,
  files: Readonly<Record<string, string>> = {},
): string {
  const used = <T>(found: T | undefined, documented: string): T => {
    if (found === undefined) throw new Error(`the page uses ${documented}, which the test does not know`)
    return found
  }
  return example
    .replace(/port_value: (\d+)/g, (_, port: string) => `port_value: ${used(ports[port], port)}`)
    .replace(/localhost:(\d+)/g, (_, port: string) => `localhost:${used(ports[port], port)}`)
    .replace(/\/etc\/envoy\/[\w.-]+/g, (file) => used(files[file], file))
}
