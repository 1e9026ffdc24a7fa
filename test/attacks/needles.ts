/** Secrets that must not occur anywhere, with their descriptions. */
export class Needles {
  readonly #values = new Map<string, string>()

  add(what: string, value: string): string {
    if (value.length < 8) throw new Error(`${what} is too short to be looked for`)
    this.#values.set(value, what)
    // The signature of a JWT is a secret of its own, because the rest could be guessed.
    const signature = /^ey[\w-]+\.ey[\w-]+\.([\w-]{40,})$/.exec(value)?.[1]
    if (signature !== undefined) this.#values.set(signature, `the signature of ${what}`)
    return value
  }

  /** Adds bytes in every encoding in which text may contain them. */
  addBytes(what: string, bytes: Buffer): void {
    for (const encoding of ['latin1', 'base64', 'base64url', 'hex'] as const) this.add(what, bytes.toString(encoding))
  }

  get size(): number {
    return this.#values.size
  }

  /** The secrets that a text contains, in any of their forms. */
  foundIn(text: string): readonly string[] {
    return [...this.#values].flatMap(([value, what]) =>
      formsOf(value)
        .filter(([, form]) => text.includes(form))
        .map(([name]) => `${what}, ${name}`),
    )
  }
}

/** A value and its encodings, alone or within other text. */
function formsOf(value: string): readonly (readonly [name: string, form: string])[] {
  const bytes = Buffer.from(value)
  const hex = bytes.toString('hex')
  const inBase64 = [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    // The characters at the edges depend on the neighbouring text.
    const inside = encoded.slice(before === 0 ? 0 : 4, Math.floor((before + bytes.length) / 3) * 4)
    return [inside, inside.replaceAll('+', '-').replaceAll('/', '_')]
  })
  return [
    ['as it is', value],
    ['in JSON', JSON.stringify(value).slice(1, -1)],
    ['for a URL', encodeURIComponent(value)],
    ['in hex', hex],
    ['in capital hex', hex.toUpperCase()],
    ...inBase64.map((form) => ['in base64', form] as const),
  ]
}
