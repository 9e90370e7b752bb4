/** Long tests of faults run at two scales: a short one in CI, and `npm run test:faults`. */
export const isFull = process.env['FAULT_SCALE'] === 'full'

export function atScale(ci: number, full: number): number {
  return isFull ? full : ci
}
