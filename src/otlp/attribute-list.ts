/** More are not labels any more; a point that has them is refused. */
export const ATTRIBUTES_MAX = 1024

/** Symbols of attributes, in the order in which they came. */
export type AttributeList = {
  count: number
  /** As they were sent. */
  readonly keys: Uint32Array
  /** As labels. */
  readonly names: Uint32Array
  readonly values: Uint32Array
}

export function createAttributeList(): AttributeList {
  const column = () => new Uint32Array(ATTRIBUTES_MAX + 1)
  return { count: 0, keys: column(), names: column(), values: column() }
}
