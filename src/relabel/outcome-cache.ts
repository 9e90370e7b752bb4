import { DIGEST_WORDS } from '../model/batch.ts'
import { type DigestKey, digestBytes, type IdentitySum } from '../model/identity.ts'

/** A string that rules have made, ready to become a symbol. */
export type Text = {
  id: number
  bytes: Uint8Array
  digest: Uint32Array
  /** Its number in the message that was written last with it, and which one that was. */
  symbol: number
  stamp: number
}

/** References of a series in place of its own: a number is the place of one that it has. */
export type Rewritten = readonly (number | Text)[]

/** What rules make of a set of labels. */
export type Outcome = 'as it is' | 'dropped' | Rewritten

const SLOTS_MIN = 1024

/**
 * What became of the series that were seen, by their identity: rules say the same of the same
 * labels each time.
 *
 * A class, because there is a bound. When it is reached nothing is added, so that more series
 * than that still find their share; and after as many more everything is forgotten, so that
 * series which have ended do not stay.
 */
export class OutcomeCache {
  readonly #key: DigestKey
  readonly #seriesMax: number
  #identities!: Int32Array
  /** Open addressing with linear probing. */
  #outcomes!: (Outcome | undefined)[]
  #size!: number
  /** Not added for want of room. */
  #refused!: number
  readonly #texts = new Map<string, Text>()
  /** Most series are rewritten alike, so what is kept of each is one of few lists. */
  readonly #rewritten = new Map<string, Rewritten>()

  constructor(key: DigestKey, seriesMax: number) {
    this.#key = key
    this.#seriesMax = seriesMax
    this.#clear()
  }

  get size(): number {
    return this.#size
  }

  get(identity: IdentitySum): Outcome | undefined {
    return this.#outcomes[this.#slotOf(identity)]
  }

  /** Adds what is not there yet. */
  add(identity: IdentitySum, outcome: Outcome): void {
    if (this.#size === this.#seriesMax) {
      this.#refused += 1
      if (this.#refused < this.#seriesMax) return
      this.#clear()
    }
    this.#size += 1
    if (this.#size * 2 > this.#outcomes.length) this.#grow()
    this.#put(identity, outcome)
  }

  /** `value` as it is kept: the same for the same, as long as nothing is forgotten. */
  textOf(value: string): Text {
    const known = this.#texts.get(value)
    if (known !== undefined) return known
    const bytes = Buffer.from(value)
    const digest = new Uint32Array(DIGEST_WORDS)
    digestBytes(this.#key, bytes, 0, bytes.length, digest, 0)
    const text = { id: this.#texts.size, bytes, digest, symbol: 0, stamp: 0 }
    this.#texts.set(value, text)
    return text
  }

  /** The same for references: one list for all that are equal. */
  shared(rewritten: Rewritten): Rewritten {
    const name = rewritten.map((part) => (typeof part === 'number' ? part : `t${part.id}`)).join()
    const known = this.#rewritten.get(name)
    if (known === undefined) this.#rewritten.set(name, rewritten)
    return known ?? rewritten
  }

  #clear(): void {
    this.#identities = new Int32Array(SLOTS_MIN * DIGEST_WORDS)
    this.#outcomes = new Array(SLOTS_MIN).fill(undefined)
    this.#size = 0
    this.#refused = 0
    this.#texts.clear()
    this.#rewritten.clear()
  }

  #put(identity: IdentitySum, outcome: Outcome): void {
    const slot = this.#slotOf(identity)
    this.#identities.set(identity, slot * DIGEST_WORDS)
    this.#outcomes[slot] = outcome
  }

  /** Where `identity` is, or the free slot where it would be. */
  #slotOf(identity: IdentitySum): number {
    const mask = this.#outcomes.length - 1
    let slot = identity[0]! & mask
    while (this.#outcomes[slot] !== undefined && !this.#holds(slot, identity)) {
      slot = (slot + 1) & mask
    }
    return slot
  }

  #holds(slot: number, identity: IdentitySum): boolean {
    const at = slot * DIGEST_WORDS
    for (let i = 0; i < DIGEST_WORDS; i++) {
      if (this.#identities[at + i] !== identity[i]) return false
    }
    return true
  }

  #grow(): void {
    const identities = this.#identities
    const outcomes = this.#outcomes
    this.#identities = new Int32Array(identities.length * 2)
    this.#outcomes = new Array(outcomes.length * 2).fill(undefined)
    for (const [slot, outcome] of outcomes.entries()) {
      const at = slot * DIGEST_WORDS
      if (outcome !== undefined) this.#put(identities.subarray(at, at + DIGEST_WORDS), outcome)
    }
  }
}
