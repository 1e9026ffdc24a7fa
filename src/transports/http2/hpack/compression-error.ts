/** A header block that violates RFC 7541. The state of decoder and encoder differs, so the connection must end. */
export class CompressionError extends Error {}
