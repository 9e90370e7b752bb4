import type { Block } from '../model/block.ts'
import { type Counts, isNothing, minus, noCounts } from '../model/counts.ts'
import { addLabel, createIdentitySum, type DigestKey, removeLabel } from '../model/identity.ts'
import { EXEMPLARS, HISTOGRAMS, SAMPLES } from '../model/request-tags.ts'
import { snappy } from '../wire/snappy.ts'
import { type Outcome, OutcomeCache, type Rewritten } from './outcome-cache.ts'
import { RequestReader } from './request.ts'
import type { RelabelRule } from './rule.ts'
import { compileRules, type Relabel } from './rules.ts'
import { SeriesWriter } from './series-writer.ts'

/** Of one destination; a series more takes 50 bytes, unless rules give it a text of its own. */
const REMEMBERED_SERIES_MAX = 1_000_000

export type Relabelled = {
  /** What is left; null when that is nothing. */
  block: Block | null
  /** What was in the series that the rules drop. */
  dropped: Counts
}

/**
 * Applies rules to the series of blocks, for one destination. What they say of a series is
 * remembered, so a block costs little more than being written once more.
 *
 * A class, because of what is remembered.
 */
export class Relabeler {
  readonly #relabel: Relabel
  readonly #request: RequestReader
  readonly #writer: SeriesWriter
  readonly #cache: OutcomeCache
  readonly #identity = createIdentitySum()

  /** @throws Error for a rule whose regular expression is none */
  constructor(rules: readonly RelabelRule[], key: DigestKey, seriesMax = REMEMBERED_SERIES_MAX) {
    this.#relabel = compileRules(rules)
    this.#request = new RequestReader(key)
    this.#writer = new SeriesWriter(this.#request, key)
    this.#cache = new OutcomeCache(key, seriesMax)
  }

  /** Series of which it is known what the rules say. */
  get remembered(): number {
    return this.#cache.size
  }

  /** Null when the block cannot be read. A block that no rule touches is given back as it is. */
  apply(block: Block): Relabelled | null {
    const raw = snappy.decompress(block.message)
    const request = this.#request
    if (raw === null || !request.open(raw)) return null
    const outcomes: Outcome[] = []
    const dropped = noCounts()
    for (let series = 0; series < request.seriesCount; series++) {
      this.#identify(series)
      const outcome = this.#outcomeOf(series)
      if (outcome === 'dropped') this.#count(series, dropped)
      outcomes.push(outcome)
    }
    if (outcomes.every((outcome) => outcome === 'as it is')) return { block, dropped }
    const counts = minus(block.counts, dropped)
    if (isNothing(counts)) return { block: null, dropped }
    return this.#rewritten(block, outcomes, counts, dropped)
  }

  #rewritten(
    block: Block,
    outcomes: readonly Outcome[],
    counts: Counts,
    dropped: Counts,
  ): Relabelled | null {
    const writer = this.#writer
    writer.clear()
    for (let series = 0; series < outcomes.length; series++) {
      const outcome = outcomes[series]!
      if (outcome !== 'dropped' && !writer.add(series, outcome)) return null
    }
    const message = writer.message()
    const rawBytes = message.length
    return { block: { ...block, counts, rawBytes, message: snappy.compress(message) }, dropped }
  }

  /** Neighbours share most labels: their identity differs by those that they do not. */
  #identify(series: number): void {
    const request = this.#request
    const { refs } = request
    const start = request.refsStart(series)
    const end = request.refsEnd[series]!
    const before = series === 0 ? 0 : request.refsStart(series - 1)
    const isAlike = series > 0 && end - start === start - before
    const identity = this.#identity
    if (!isAlike) identity.fill(0)
    for (let i = start, old = before; i < end; i += 2, old += 2) {
      const name = refs[i]!
      const value = refs[i + 1]!
      if (isAlike) {
        const oldName = refs[old]!
        const oldValue = refs[old + 1]!
        if (name === oldName && value === oldValue) continue
        removeLabel(identity, request.digests, oldName, oldValue)
      }
      request.digest(name)
      request.digest(value)
      addLabel(identity, request.digests, name, value)
    }
  }

  #outcomeOf(series: number): Outcome {
    const identity = this.#identity
    const known = this.#cache.get(identity)
    if (known !== undefined) return known
    const outcome = this.#judge(series)
    this.#cache.add(identity, outcome)
    return outcome
  }

  #judge(series: number): Outcome {
    const request = this.#request
    const texts: string[] = []
    for (let i = request.refsStart(series); i < request.refsEnd[series]!; i++) {
      texts.push(request.textOf(request.refs[i]!))
    }
    const labels = new Map<string, string>()
    const places = new Map<string, number>()
    for (const [i, text] of texts.entries()) {
      if (!places.has(text)) places.set(text, i)
      if (i % 2 === 0) labels.set(text, texts[i + 1]!)
    }
    const relabelled = this.#relabel(labels)
    // Nobody takes a series without any label.
    if (relabelled === null || relabelled.length === 0) return 'dropped'
    const sorted = relabelled.toSorted(byName).flat()
    const isSame = sorted.length === texts.length && sorted.every((text, i) => text === texts[i])
    if (isSame) return 'as it is'
    const rewritten: Rewritten = sorted.map((text) => places.get(text) ?? this.#cache.textOf(text))
    return this.#cache.shared(rewritten)
  }

  #count(series: number, counts: Counts): void {
    const { reader, raw, seriesStart, seriesEnd } = this.#request
    reader.reset(raw, seriesStart[series]!, seriesEnd[series]!)
    while (reader.hasMore()) {
      const tag = reader.uint32()
      if (tag === SAMPLES) counts.samples += 1
      else if (tag === HISTOGRAMS) counts.histograms += 1
      else if (tag === EXEMPLARS) counts.exemplars += 1
      reader.skip(tag)
    }
  }
}

/** By the bytes of the names, as receivers want the labels of a series. */
function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = rankOf(a.charCodeAt(i)) - rankOf(b.charCodeAt(i))
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** In UTF-8 what takes two units of UTF-16 comes after all that takes one. */
function rankOf(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
