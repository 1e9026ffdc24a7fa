/** A request in protobuf's JSON, still encoded as it came. */
export class JsonRequest {
  readonly encoded: Uint8Array

  constructor(encoded: Uint8Array) {
    this.encoded = encoded
  }
}
