import type { Damage } from './segment.ts'

/** Tells each damaged place once: every reader that comes by meets it again. */
export function onceForEachPlace(onDamage: (damage: Damage) => void): (damage: Damage) => void {
  const places = new Set<string>()
  return (damage) => {
    const place = `${damage.segment}/${damage.fromLsn}/${damage.reason}`
    if (places.has(place)) return
    places.add(place)
    onDamage(damage)
  }
}
