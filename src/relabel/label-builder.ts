/** Labels by name; none is empty. */
export type Labels = ReadonlyMap<string, string>

/**
 * A set of labels that rules work on.
 *
 * A class, because where two labels are mapped to one name the last one wins, so the order is
 * part of the result: those that nobody has touched, by name, then those that were set.
 */
export class LabelBuilder {
  readonly #untouched: Map<string, string>
  readonly #set = new Map<string, string>()

  /** @param labels in the order of their names */
  constructor(labels: Labels) {
    this.#untouched = new Map(labels)
  }

  /** Empty when there is none. */
  get(name: string): string {
    return this.#set.get(name) ?? this.#untouched.get(name) ?? ''
  }

  /** A label without a value is no label. */
  set(name: string, value: string): void {
    this.#untouched.delete(name)
    if (value === '') this.#set.delete(name)
    else this.#set.set(name, value)
  }

  delete(name: string): void {
    this.#untouched.delete(name)
    this.#set.delete(name)
  }

  /** As they are now; what is changed later does not show in it. */
  entries(): [name: string, value: string][] {
    return [...this.#untouched, ...this.#set]
  }
}
