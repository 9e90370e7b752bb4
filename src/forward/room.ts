import type { Block } from '../model/block.ts'
import type { Ahead, Line } from './line.ts'

/** Blocks in memory that are not acknowledged, and their bytes. */
const BLOCKS_MAX = 512
export const ROOM_BYTES_MAX = 32 * 1024 * 1024

export type RoomLimits = { blocksMax?: number; bytesMax?: number }

/**
 * Memory for what is between log and acknowledgement. Nobody gets all of it: a line may have
 * so many times as much as is free, so there is less for each the more there are. A line that
 * has nothing may have one block in any case, and so the limits are exceeded by one block for
 * each cluster at most.
 *
 * A class, because there is state with an invariant: what is taken is in a line.
 */
export class Room {
  readonly #blocksMax: number
  readonly #bytesMax: number
  #blocks = 0
  #bytes = 0

  constructor({ blocksMax = BLOCKS_MAX, bytesMax = ROOM_BYTES_MAX }: RoomLimits) {
    this.#blocksMax = blocksMax
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Whether `line` has nothing, or less than `greed` times what is free. */
  isFor({ blocks, bytes }: Line, greed: number): boolean {
    if (blocks === 0) return true
    const freeBlocks = this.#blocksMax - this.#blocks
    return blocks < greed * freeBlocks && bytes < greed * (this.#bytesMax - this.#bytes)
  }

  take({ message }: Block): void {
    this.#blocks += 1
    this.#bytes += message.length
  }

  free(group: readonly Ahead[]): void {
    this.#blocks -= group.length
    for (const { block } of group) this.#bytes -= block.message.length
  }
}
