/** Series of a request: from `from` on, and before `to`. */
export type Part = { from: number; to: number }

/** What is in `part` and in one of `left`. */
export function leftOf(left: readonly Part[], part: Part): Part[] {
  return left.flatMap(({ from, to }) =>
    notEmpty({ from: Math.max(from, part.from), to: Math.min(to, part.to) }),
  )
}

/** What is in `one` and not in `part`. */
export function without({ from, to }: Part, part: Part): Part[] {
  return [
    ...notEmpty({ from, to: Math.min(to, part.from) }),
    ...notEmpty({ from: Math.max(from, part.to), to }),
  ]
}

function notEmpty(part: Part): Part[] {
  return part.from < part.to ? [part] : []
}
