/** Values and their names, for a choice among them. `from`: the first number that can be chosen. */
export function optionsOf(labels: Readonly<Record<number, string>>, from = 1): readonly (readonly [string, string])[] {
  return Object.entries(labels).filter(([value]) => Number(value) >= from)
}
