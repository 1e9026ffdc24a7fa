/** A header block that breaks RFC 7541. Decoder and encoder no longer agree, so the connection cannot go on. */
export class CompressionError extends Error {}
