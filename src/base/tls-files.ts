/** Where the certificates of a listener are, in PEM. They may be exchanged while in use. */
export type TlsFiles = {
  readonly certFile: string
  readonly keyFile: string
  /** Whoever connects must have a certificate of one of these; null: anyone may. */
  readonly clientCaFile: string | null
}
