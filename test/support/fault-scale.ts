/** Faults that would take long run at two scales: small for every change, full now and then. */
export const isFull = process.env['FAULT_SCALE'] === 'full'

export function atScale(ci: number, full: number): number {
  return isFull ? full : ci
}
