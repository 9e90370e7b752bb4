import { escapesNames, type OtlpOptions } from './options.ts'

/** Attribute keys that are label names already, and nearly all that are sent with dots. */
const PLAIN = /^[A-Za-z][A-Za-z0-9_]*$/

/** The label name of an attribute's key, as Prometheus 3.5 makes it. */
export function labelNameOf(key: string, options: OtlpOptions): string {
  if (!escapesNames(options)) return key
  if (PLAIN.test(key) && options.labelNamePreserveMultipleUnderscores) return key
  let name = key.replace(/[^A-Za-z0-9]/gu, '_')
  if (!options.labelNamePreserveMultipleUnderscores) name = collapsed(name)
  if (/^[0-9]/.test(name)) return `key_${name}`
  const hasOneUnderscore = /^_(?!_)/.test(name)
  return hasOneUnderscore && options.labelNameUnderscoreSanitization ? `key${name}` : name
}

/** Names that are reserved, with two underscores at both ends, stay as they are. */
function collapsed(name: string): string {
  return name.startsWith('__') && name.endsWith('__') ? name : name.replace(/_+/g, '_')
}
