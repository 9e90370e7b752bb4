/** Where a member stands: what it takes to remove it. */
export type Seat<Member> = { readonly member: Member; at: number }

/**
 * Members that come and go all the time, in no order.
 *
 * Not a Set or a Map: where entries come and go those are made anew again and again, and each
 * table that one leaves behind keeps alive what was in it, once the collector took the table for
 * old. The requests that were open at a collection were so copied twice and looked through by the
 * collector of the old generation: 450 KB of the 6 MB that pushes take between two collections.
 *
 * A class, because whoever is added knows his place.
 */
export class Roster<Member> {
  readonly #seats: Seat<Member>[] = []

  get size(): number {
    return this.#seats.length
  }

  /** Good until the next change. */
  get seats(): readonly Seat<Member>[] {
    return this.#seats
  }

  add(member: Member): Seat<Member> {
    const seat = { member, at: this.#seats.length }
    this.#seats.push(seat)
    return seat
  }

  /** Does nothing when it was removed before. */
  remove(seat: Seat<Member>): void {
    if (this.#seats[seat.at] !== seat) return
    const last = this.#seats.pop()!
    if (last === seat) return
    this.#seats[seat.at] = last
    last.at = seat.at
  }

  /** Removes all. */
  clear(): void {
    this.#seats.length = 0
  }
}
