import { RAY_ID_KEY } from '../../rpc/trace-context.ts'
import type { HeaderBlocks } from '../http2/grpc/header-blocks.ts'
import { Metadata } from '../http2/grpc/metadata.ts'

/** RFC 7541 §6.2.2: a literal field without indexing, with a literal name. */
const LITERAL = 0x00
/** RFC 7541 §5.1: the length of a text below this takes one byte, without Huffman coding. */
const ONE_BYTE = 127

/** The headers of answers. They differ only in the ray id, so everything before it is encoded once. */
export class AnswerHeaders {
  readonly #blocks: HeaderBlocks
  readonly #head: Buffer

  constructor(blocks: HeaderBlocks) {
    const name = Buffer.from(RAY_ID_KEY, 'latin1')
    this.#blocks = blocks
    this.#head = Buffer.concat([blocks.headers(), Buffer.of(LITERAL, name.byteLength), name])
  }

  /** An encoded block. */
  with(rayId: string): Uint8Array {
    if (rayId.length >= ONE_BYTE) return this.#blocks.headers(new Metadata().add(RAY_ID_KEY, rayId))
    const head = this.#head
    const block = Buffer.allocUnsafe(head.byteLength + 1 + rayId.length)
    block.set(head)
    block[head.byteLength] = rayId.length
    block.write(rayId, head.byteLength + 1, 'latin1')
    return block
  }
}
