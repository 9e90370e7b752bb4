import { randomBytes } from 'node:crypto'
import { BufferPool } from '../base/buffer-pool.ts'
import type { Disk } from '../base/disk.ts'
import { assert, type SluiceError } from '../base/errors.ts'
import { GroupCommit } from './commit.ts'
import { CommitWaiters } from './commit-waiters.ts'
import { onceForEachPlace } from './damages.ts'
import { addRecord, emptyGroup, type Group, nextLsnOf } from './group.ts'
import { closedError, writeFailed } from './log-errors.ts'
import { holdsStore, inPlace, isUnderItsName } from './place.ts'
import { LogReader } from './reader.ts'
import { type Recovered, recover, type TornTail } from './recovery.ts'
import { READ_AHEAD_BYTES } from './scan.ts'
import { type Damage, SEGMENT_BYTES, type Segment, STORE_ID_BYTES, seedOf } from './segment.ts'
import { Segments } from './segments.ts'
import { POOL_BYTES, TAIL_BYTES, Tail } from './tail.ts'
import { SegmentWriter } from './writer.ts'

export type LogOptions = {
  disk: Disk
  directory: string
  segmentBytes?: number
  readAheadBytes?: number
  /** Memory for the newest records, which are then read without the disk. */
  tailBytes?: number
  /**
   * No LSN below this is given out: the largest position of any cursor, so that a log that lost
   * its end does not number new records as old ones that were delivered already.
   */
  nextLsnMin?: number
  /** 16 bytes in hexadecimal; used once, when the directory holds no store yet. */
  newStoreId?: string
  /** Called just before a group is taken: the last moment to append what belongs to it. */
  onCollect?: () => void
  /**
   * Called when a commit failed, before anybody who waits for it hears so: everything appended
   * since the last commit is gone, and `nextLsn` is what it was after that commit. Whatever
   * was judged on the strength of it must be undone here, synchronously.
   */
  onFailed?: (error: SluiceError) => void
  /** Told once about each damaged place, when the log is opened and when it is read. */
  onDamage?: (damage: Damage) => void
  onTornTail?: (tail: TornTail) => void
}

/**
 * The durable log: records with consecutive numbers (LSN), in segment files, deleted from the
 * front. A record is committed when it is on disk, and only committed records are read.
 *
 * A class, because there is state with an invariant: LSNs below `oldestLsn` are gone, those up
 * to `committedLsn` are on disk, those from there to `nextLsn` are in memory and nowhere else.
 * One process writes a segment, and never again: a new start, a full segment or a failed write
 * begin the next one. After a failure the next segment takes over the numbers of what was lost,
 * and its first LSN tells every later reader where the doubtful end of the old one begins.
 */
export class Log {
  readonly #options: LogOptions
  readonly #storeId: string
  readonly #seed: number
  readonly #writer: SegmentWriter
  readonly #commits: GroupCommit<Group>
  readonly #waiters = new CommitWaiters()
  readonly #tail: Tail
  readonly #pool = new BufferPool(POOL_BYTES)
  readonly #reportDamage: (damage: Damage) => void
  readonly #segments: Segments
  #pending: Group
  /** The group that is being written. */
  #writing: Group | null = null
  #committedLsn: number
  #committedChain: number
  #failuresInARow = 0
  #state: 'open' | 'closing' | 'closed' = 'open'

  private constructor(
    options: LogOptions,
    recovered: Recovered,
    reportDamage: (damage: Damage) => void,
  ) {
    const { disk, directory, segmentBytes = SEGMENT_BYTES, nextLsnMin = 1 } = options
    const { storeId, leftover, foreign, chain } = recovered
    this.#options = options
    this.#tail = new Tail(options.tailBytes ?? TAIL_BYTES)
    this.#reportDamage = reportDamage
    this.#storeId = storeId
    this.#seed = seedOf(storeId)
    this.#writer = new SegmentWriter({ disk, directory, storeId, segmentBytes, leftover, foreign })
    this.#segments = new Segments(disk, directory, recovered.segments)
    const nextLsn = Math.max(recovered.nextLsn, nextLsnMin)
    const { last } = this.#segments
    if (last) last.endLsn = nextLsn
    this.#committedLsn = nextLsn - 1
    this.#committedChain = chain
    this.#pending = emptyGroup(nextLsn, chain)
    this.#commits = new GroupCommit<Group>({
      take: () => this.#take(),
      write: (group) => this.#write(group),
      fail: (cause) => this.#fail(cause),
    })
  }

  /**
   * Opens the log in `directory`, or makes one. The caller holds the directory's lock.
   *
   * @throws LOG_FORMAT when a newer version has written it: nothing is changed then
   * @throws LOG_FAILED when the disk refuses; damage is never a reason
   */
  static async open(options: LogOptions): Promise<Log> {
    const { newStoreId = randomBytes(STORE_ID_BYTES).toString('hex') } = options
    const onDamage = onceForEachPlace((damage) => options.onDamage?.(damage))
    return new Log(options, await recover({ ...options, newStoreId, onDamage }), onDamage)
  }

  /** LSN that the next `append` gives. */
  get nextLsn(): number {
    return nextLsnOf(this.#pending)
  }

  get lastLsn(): number {
    return this.nextLsn - 1
  }

  get committedLsn(): number {
    return this.#committedLsn
  }

  /** The lowest LSN that is still held; one above `committedLsn` when there is none. */
  get oldestLsn(): number {
    return this.#segments.oldest?.firstLsn ?? this.#committedLsn + 1
  }

  /** Where the segment behind the oldest one begins; null when there is one segment or none. */
  get secondSegmentLsn(): number | null {
    return this.#segments.second?.firstLsn ?? null
  }

  /** What the segments take of the disk, for the quota. */
  get sizeBytes(): number {
    return this.#segments.sizeBytes
  }

  /** Two commits in a row have failed, the last one in a new file; true until one succeeds. */
  get isFailed(): boolean {
    return this.#failuresInARow >= 2
  }

  /** The disk has been seen to work: not failed any more, until the next commit fails. */
  trust(): void {
    this.#failuresInARow = Math.min(1, this.#failuresInARow)
  }

  /** The group that is being written, as a thing to compare with; null when there is none. */
  get writing(): object | null {
    return this.#writing
  }

  /** What lies in memory and not on disk. */
  get uncommittedBytes(): number {
    return this.#pending.bytes + (this.#writing?.bytes ?? 0)
  }

  /** What lies in memory to be read again, and what was given back. */
  get keptBytes(): { tail: number; pool: number } {
    return { tail: this.#tail.bytes, pool: this.#pool.keptBytes }
  }

  /**
   * Takes a record into the next group and numbers it; `parts` are given. Nothing is written
   * before `commit` is called.
   */
  append(type: number, parts: readonly Uint8Array[]): number {
    assert(this.#state !== 'closed', 'nothing is appended to a closed log')
    return addRecord(this.#pending, type, parts, this.#seed)
  }

  /**
   * Resolves when everything appended so far, and what `onCollect` appends to it, is on disk.
   *
   * @throws LOG_FAILED when it is not, and then it is gone
   */
  commit(): Promise<void> {
    assert(this.#state === 'open', 'nothing is committed to a closed log')
    return this.#commits.request()
  }

  /**
   * Those who wait for a commit are refused now. What they wait for goes on all the same: it may
   * still come to be on disk, and then what was judged on the strength of it holds.
   */
  refuseWaiting(error: SluiceError): void {
    this.#commits.refuseWaiting(error)
  }

  /**
   * Whether the log's directory is still under its name. When only the file is not that is being
   * written, the next group begins another. Rejects when the disk does not say.
   */
  async isInPlace(): Promise<boolean> {
    const { disk, directory } = this.#options
    if (!(await holdsStore(disk, directory, this.#storeId))) return false
    const { last } = this.#segments
    if (last !== undefined && !(await isUnderItsName(disk, last))) this.#writer.leave(last)
    return true
  }

  /** Committed records from `fromLsn` on, or from the oldest that is left. */
  reader(fromLsn: number): LogReader {
    const { disk, directory, readAheadBytes = READ_AHEAD_BYTES } = this.#options
    const view = {
      disk: inPlace(disk, directory, this.#storeId),
      seed: this.#seed,
      readAheadBytes,
      pool: this.#pool,
      committedLsn: () => this.#committedLsn,
      recent: (lsn: number) => this.#tail.find(lsn),
      segmentAt: (lsn: number) => this.#segments.at(lsn),
      isReleased: ({ firstLsn }: Segment) => firstLsn < this.oldestLsn,
      reportDamage: this.#reportDamage,
    }
    return new LogReader(view, fromLsn)
  }

  /** The payload of a record, or a part of it, is not needed any more: its memory is used again. */
  giveBack(payload: Uint8Array): void {
    this.#pool.give(payload)
  }

  /** Resolves when a record above `lsn` is committed; rejects when `signal` aborts or on close. */
  async waitBeyond(lsn: number, signal?: AbortSignal): Promise<void> {
    if (this.#committedLsn > lsn) return
    if (this.#state === 'closed') throw closedError()
    await this.#waiters.wait(lsn, signal)
  }

  /** What the segments take that hold nothing but records below `lsn`. */
  bytesBelow(lsn: number): number {
    return this.#segments.bytesBelow(lsn)
  }

  /**
   * Records below `lsn` are not needed any more: deletes segments that hold nothing else, the
   * oldest first, until such segments take no more than `keptBytes`. The last segment always
   * stays.
   */
  release(lsn: number, keptBytes = 0): Promise<void> {
    return this.#segments.release(lsn, keptBytes)
  }

  /**
   * Commits what is pending and closes the file. Readers are closed by whoever opened them.
   *
   * @throws LOG_FAILED when what was pending could not be committed; the log is closed all the same
   */
  async close(): Promise<void> {
    const commit = this.commit()
    this.#state = 'closing'
    try {
      await commit
    } finally {
      this.#state = 'closed'
      await this.#segments.idle()
      await this.#writer.abandon()
      this.#waiters.rejectAll(closedError())
    }
  }

  #take(): Group {
    this.#options.onCollect?.()
    const group = this.#pending
    this.#pending = emptyGroup(nextLsnOf(group), group.chain)
    return group
  }

  async #write(group: Group): Promise<void> {
    // Nothing but duplicates of what is committed by now.
    if (group.recordCount === 0) return
    this.#writing = group
    const segment = await this.#writer.write(group).finally(() => {
      this.#writing = null
    })
    if (segment !== this.#segments.last) this.#segments.add(segment)
    segment.readableBytes = segment.fileBytes
    segment.endLsn = nextLsnOf(group)
    this.#committedLsn = segment.endLsn - 1
    this.#committedChain = group.chain
    this.#failuresInARow = 0
    this.#tail.add(group.firstLsn, group.records)
    this.#waiters.wake(this.#committedLsn)
  }

  /** Back to the last commit, and everybody is told. Synchronous: nobody may append between. */
  #fail(cause: unknown): SluiceError {
    this.#failuresInARow += 1
    void this.#writer.abandon()
    this.#pending = emptyGroup(this.#committedLsn + 1, this.#committedChain)
    const error = writeFailed(this.#options.directory, cause)
    this.#options.onFailed?.(error)
    return error
  }
}
