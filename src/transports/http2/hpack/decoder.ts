import { BlockReader } from './block-reader.ts'
import { CompressionError } from './compression-error.ts'
import { DynamicTable } from './dynamic-table.ts'
import { HeaderField } from './header-field.ts'
import { STATIC_TABLE } from './static-table.ts'

/** Receives the fields of a block in order. */
export interface FieldSink {
  field(field: HeaderField): void
}

/** RFC 9113 §6.5.2: the size of the table until SETTINGS change it. */
export const INITIAL_TABLE_BYTES = 4096

/** Decodes the header blocks of one peer. It must get all blocks in order. A field from a table is passed on as the same object. */
export class Decoder {
  readonly #table = new DynamicTable(INITIAL_TABLE_BYTES)
  readonly #reader: BlockReader
  #maxTableBytes = INITIAL_TABLE_BYTES
  /** RFC 7541 §4.2: the next block must begin with a size update, because the table became smaller. */
  #awaitsUpdate = false

  /** Several decoders may share `reader`, because it keeps no state between blocks. */
  constructor(reader = new BlockReader()) {
    this.#reader = reader
  }

  /** Call this when the peer has acknowledged a SETTINGS_HEADER_TABLE_SIZE. */
  setMaxTableBytes(bytes: number): void {
    this.#maxTableBytes = bytes
    if (bytes < this.#table.maxBytes) this.#awaitsUpdate = true
  }

  /** The size of the dynamic table by RFC 7541 §4.1. */
  get tableBytes(): number {
    return this.#table.bytes
  }

  /** @throws CompressionError, after which no further block can be decoded. */
  decode(bytes: Buffer, start: number, end: number, sink: FieldSink): void {
    const reader = this.#reader
    reader.open(bytes, start, end)
    this.#readUpdates()
    while (!reader.atEnd) {
      const first = reader.peek()
      if (first >= 0x80) {
        // §6.1: an indexed field.
        sink.field(this.#field(reader.integer(0x7f)))
      } else if (first >= 0x40) {
        // §6.2.1: a literal that is added to the table.
        const field = new HeaderField(this.#name(reader.integer(0x3f)), reader.text())
        this.#table.add(field)
        sink.field(field)
      } else if (first >= 0x20) {
        throw new CompressionError('the size of the table changes within a header block')
      } else {
        // §6.2.2 and §6.2.3: a literal that is not added to the table, and one that must never be added to any table.
        sink.field(new HeaderField(this.#name(reader.integer(0x0f)), reader.text(), first >= 0x10))
      }
    }
    reader.close()
  }

  /** §6.3. */
  #readUpdates(): void {
    const reader = this.#reader
    while (!reader.atEnd && (reader.peek() & 0xe0) === 0x20) {
      const bytes = reader.integer(0x1f)
      if (bytes > this.#maxTableBytes) throw new CompressionError('a dynamic table larger than SETTINGS allow')
      this.#table.resize(bytes)
      this.#awaitsUpdate = false
    }
    if (this.#awaitsUpdate) throw new CompressionError('the dynamic table is not made smaller, as SETTINGS ask')
  }

  #name(index: number): string {
    return index === 0 ? this.#reader.text() : this.#field(index).name
  }

  #field(index: number): HeaderField {
    const field =
      index <= STATIC_TABLE.length ? STATIC_TABLE[index - 1] : this.#table.at(index - STATIC_TABLE.length - 1)
    if (field === undefined) throw new CompressionError('an index beyond the tables')
    return field
  }
}
