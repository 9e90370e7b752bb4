import { assert } from '../base/errors.ts'
import { copyOf } from '../base/memory.ts'
import { add, type Counts, minus, noCounts, samplesOf } from '../model/counts.ts'
import { Tally } from '../model/tally.ts'
import type { Log } from './log.ts'
import { type QuarantineHole, QuarantineHoles, type Sealed } from './quarantine-holes.ts'
import type { LogRecord } from './reader.ts'

/** What was refused, and all that helps to find out why. */
export type QuarantineHead = {
  cluster: string
  /** The block that it was part of. */
  block: number
  /** Wall times, Unix milliseconds. */
  receivedMs: number
  refusedMs: number
  /** How often it was sent again from here. */
  attempts: number
  class: string
  /** The receiver's own words. */
  reason: string
  /** What is lost of the message: all of it, or less when the receiver kept a part. */
  lost: Counts
  /** Labels of one of the series, when they are known. */
  series: string | null
}

/** What is written of an entry: with the samples of all that came before, a hole has a size. */
type WrittenHead = QuarantineHead & { samplesBefore?: number }

export type QuarantineEntry = QuarantineHead & {
  /** Never given twice. */
  id: number
  messageBytes: number
}

type LogUse =
  | ('committedLsn' | 'oldestLsn' | 'sizeBytes')
  | ('append' | 'commit' | 'reader' | 'release')

export type QuarantineParts = {
  /** Of its own. */
  log: Pick<Log, LogUse>
  /** What it may take of the disk; the oldest entries make room. */
  bytesMax: number
  entriesMax: number
  /** Entries that nobody had looked at and that had to make room for new ones. */
  onEvicted: (entries: readonly QuarantineEntry[]) => void
  /** Told once of each hole. */
  onDamage: (hole: QuarantineHole) => void
}

const ENTRY_RECORD = 1
/** Ids that are not in it any more. */
const REMOVED_RECORD = 2
/** Of one entry, which it follows: without it nobody would miss the last one. */
const SEAL_RECORD = 3
const LENGTH_BYTES = 4

/**
 * What a destination will never take, kept on disk with the reason until somebody has looked
 * at it: to be shown, sent again, or dropped.
 *
 * A class, because there is state with an invariant: what is listed is on disk, and no more
 * than fits.
 */
export class Quarantine {
  readonly #parts: QuarantineParts
  readonly #entries = new Map<number, QuarantineEntry>()
  /** LSNs of the seals of entries, which leave together with them. */
  readonly #seals = new Map<number, number>()
  /** Elements that are in it now. */
  held: Counts = noCounts()
  /** Elements that have left it without having arrived. */
  readonly discarded: Counts = noCounts()
  /** The same of samples, by cluster. */
  readonly tallies = { held: new Tally(), discarded: new Tally() }
  /** What is in memory: the heads of entries, and not what was refused. */
  headBytes = 0
  /** Samples in all entries so far, also those that have left. */
  #samples = 0

  private constructor(parts: QuarantineParts) {
    this.#parts = parts
  }

  /** Reads what there is; damaged entries are left out and told. */
  static async open(parts: QuarantineParts): Promise<Quarantine> {
    const quarantine = new Quarantine(parts)
    const holes = new QuarantineHoles(parts.log.oldestLsn)
    const reader = parts.log.reader(1)
    try {
      for (let record = await reader.next(); record; record = await reader.next()) {
        quarantine.#take(record, holes)
      }
    } finally {
      await reader.close()
    }
    quarantine.#samples = holes.samples
    const found = holes.open()
    for (const hole of found) parts.onDamage(hole)
    // So that it is not told again. When that cannot be written, it is.
    if (found.length > 0) await quarantine.#writeRemoved(holes.ids()).catch(() => undefined)
    return quarantine
  }

  /** The oldest first. */
  get entries(): Iterable<QuarantineEntry> {
    return this.#entries.values()
  }

  get size(): number {
    return this.#entries.size
  }

  find(id: number): QuarantineEntry | undefined {
    return this.#entries.get(id)
  }

  /**
   * Resolves when it is on disk. `message` is a Remote Write 2.0 request, compressed.
   *
   * @throws LOG_FAILED when it is not, and then it is not in here
   */
  async add(head: QuarantineHead, message: Uint8Array): Promise<void> {
    const { log } = this.#parts
    const samples = samplesOf(head.lost)
    const samplesBefore = this.#samples
    const id = log.append(ENTRY_RECORD, encode({ ...head, samplesBefore }, message))
    this.#samples += samples
    try {
      await log.commit()
    } catch (error) {
      this.#samples -= samples
      throw error
    }
    this.#hold({ ...head, id, messageBytes: message.length })
    await this.#seal({ id, block: head.block, samples, samplesBefore })
    await this.#makeRoom()
  }

  /**
   * Written when its entry is safe: a power cut may leave the later one of two records, and what
   * was never safe is not missing. An entry is in here with or without it.
   */
  async #seal(sealed: Sealed): Promise<void> {
    const { log } = this.#parts
    try {
      const lsn = log.append(SEAL_RECORD, [Buffer.from(JSON.stringify(sealed))])
      await log.commit()
      if (this.#entries.has(sealed.id)) this.#seals.set(sealed.id, lsn)
    } catch {
      // Whoever writes next is told.
    }
  }

  /** The request that was refused, or null when its record is damaged. */
  async message(id: number): Promise<Uint8Array | null> {
    const reader = this.#parts.log.reader(id)
    try {
      const record = await reader.next()
      if (record?.lsn !== id || record.type !== ENTRY_RECORD) return null
      return decode(record.payload)?.message ?? null
    } finally {
      await reader.close()
    }
  }

  /**
   * Takes entries out, because they have arrived or nobody wants them any more. Returns those
   * that nobody else has taken out meanwhile.
   */
  async remove(ids: readonly number[], hasArrived: boolean): Promise<QuarantineEntry[]> {
    const { log } = this.#parts
    const known = ids.filter((id) => this.#entries.has(id))
    if (known.length === 0) return []
    await this.#writeRemoved(known)
    const removed = known.flatMap((id) => this.#forget(id) ?? [])
    for (const { cluster, lost } of hasArrived ? [] : removed) {
      add(this.discarded, lost)
      this.tallies.discarded.add(cluster, samplesOf(lost))
    }
    await log.release(this.#oldestId)
    return removed
  }

  /** Of an entry that was sent again and refused again. */
  async replace(id: number, head: QuarantineHead, message: Uint8Array): Promise<void> {
    // In this order, so that a crash between the two leaves it twice and not at all never.
    await this.add(head, message)
    await this.remove([id], true)
  }

  async #writeRemoved(ids: readonly number[]): Promise<void> {
    const { log } = this.#parts
    const all = ids.flatMap((id) => [id, this.#seals.get(id) ?? id])
    log.append(REMOVED_RECORD, [Buffer.from(JSON.stringify(all))])
    await log.commit()
  }

  get #oldestId(): number {
    const [oldest] = this.#entries.keys()
    return oldest ?? this.#parts.log.committedLsn + 1
  }

  async #makeRoom(): Promise<void> {
    const { log, bytesMax, entriesMax, onEvicted } = this.#parts
    const oldest: number[] = []
    // What was removed may take room that is given back only with older entries.
    let bytes = log.sizeBytes
    for (const { id, messageBytes } of this.#entries.values()) {
      const left = this.#entries.size - oldest.length
      if (left === 1 || (bytes <= bytesMax && left <= entriesMax)) break
      oldest.push(id)
      bytes -= messageBytes
    }
    const evicted = await this.remove(oldest, false)
    if (evicted.length > 0) onEvicted(evicted)
  }

  #take({ lsn, type, payload }: LogRecord, holes: QuarantineHoles): void {
    if (type === ENTRY_RECORD) {
      const found = decode(payload)
      if (found === null) return
      const { samplesBefore, ...head } = found.head
      holes.entry(lsn, head, samplesBefore)
      this.#hold({ ...head, id: lsn, messageBytes: found.message.length })
    } else if (type === REMOVED_RECORD) {
      const ids: unknown = jsonOf(payload)
      assert(Array.isArray(ids), 'what was removed is a list of ids')
      holes.removed(lsn, ids)
      for (const id of ids) this.#forget(id)
    } else if (type === SEAL_RECORD) {
      const sealed = jsonOf(payload) as Sealed
      holes.sealed(lsn, sealed)
      if (this.#entries.has(sealed.id)) this.#seals.set(sealed.id, lsn)
    }
  }

  #hold(entry: QuarantineEntry): void {
    this.#entries.set(entry.id, entry)
    add(this.held, entry.lost)
    this.tallies.held.add(entry.cluster, samplesOf(entry.lost))
    this.headBytes += bytesOf(entry)
  }

  #forget(id: number): QuarantineEntry | undefined {
    const entry = this.#entries.get(id)
    if (entry === undefined) return undefined
    this.#entries.delete(id)
    this.#seals.delete(id)
    this.held = minus(this.held, entry.lost)
    this.tallies.held.add(entry.cluster, -samplesOf(entry.lost))
    this.headBytes -= bytesOf(entry)
    return entry
  }
}

/** Of what is no text in a head. */
const NUMBERS_BYTES = 9 * 8

function bytesOf({ cluster, class: lossClass, reason, series }: QuarantineHead): number {
  const texts = cluster.length + lossClass.length + reason.length + (series?.length ?? 0)
  return NUMBERS_BYTES + texts
}

function jsonOf(payload: Uint8Array): unknown {
  return JSON.parse(Buffer.from(payload).toString('utf8'))
}

function encode(head: WrittenHead, message: Uint8Array): Uint8Array[] {
  const text = Buffer.from(JSON.stringify(head))
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt32LE(text.length)
  return [Buffer.concat([length, text]), copyOf(message, 0, message.length)]
}

function decode(payload: Uint8Array): { head: WrittenHead; message: Buffer } | null {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length)
  const end = bytes.length < LENGTH_BYTES ? 0 : LENGTH_BYTES + bytes.readUInt32LE(0)
  if (end === 0 || end > bytes.length) return null
  const head: WrittenHead = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, end))
  return { head, message: bytes.subarray(end) }
}
