/** The reason why an expression cannot be used, and its position in the text. */
export class ExpressionProblem {
  readonly description: string
  /** Counted from 1. `null`: the problem concerns the whole text. */
  readonly position: { readonly line: number; readonly column: number } | null

  /** `offset`: in characters of the text, from 0. */
  constructor(description: string, text: string, offset: number | null) {
    this.description = description
    if (offset === null) this.position = null
    else {
      const before = text.slice(0, offset).split('\n')
      this.position = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
    }
  }

  /** `at line 1, column 9: has no variable named claim`. */
  toString(): string {
    const { position, description } = this
    return position === null ? description : `at line ${position.line}, column ${position.column}: ${description}`
  }
}

/** Thrown while an expression is compiled. `id` identifies the node in the syntax tree. */
export class InvalidExpression extends Error {
  readonly id: bigint | null

  constructor(message: string, id: bigint | null = null) {
    super(message)
    this.id = id
  }
}
