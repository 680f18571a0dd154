import { assert } from '../base/assert.js'
import { frameLength as u32At } from '../crdt/frame.js'
import { MESSAGE_HEADER_BYTES, protocolError } from './messages.js'

/**
 * Cuts the bytes of a link into messages. Memory: never more than one message of the present limit and one chunk.
 */
export class MessageReader {
  /** Type and payload of the message that next() found; the payload is valid until the following push. */
  type = 0
  payload: Uint8Array = EMPTY

  /** The rest of what was pushed and not yet read: bytes[start .. end). */
  private bytes: Uint8Array = EMPTY
  private start = 0
  private end = 0
  /** True when `bytes` is this reader's own buffer, so that there may be room behind the end. */
  private own = false

  /** @param maxMessageBytes longest message accepted; may be changed between messages. */
  constructor(public maxMessageBytes: number) {}

  push(chunk: Uint8Array): void {
    const rest = this.end - this.start
    if (rest === 0) {
      // Not a Buffer, whose slice() would be no copy: who keeps something of a payload would see it change.
      this.bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length)
      this.start = 0
      this.end = chunk.length
      this.own = false
      return
    }
    const needed = rest + chunk.length
    if (!this.own || this.bytes.length < needed) {
      // Doubling: a message that trickles in byte by byte is copied a few times, not once a byte.
      const grown = new Uint8Array(Math.max(needed, 2 * rest))
      grown.set(this.bytes.subarray(this.start, this.end))
      this.bytes = grown
      this.own = true
      this.start = 0
      this.end = rest
    } else if (this.end + chunk.length > this.bytes.length) {
      this.bytes.copyWithin(0, this.start, this.end)
      this.start = 0
      this.end = rest
    }
    this.bytes.set(chunk, this.end)
    this.end += chunk.length
  }

  /**
   * Moves to the next whole message; false when more bytes are needed.
   * @throws MeridianError MRD_PEER_PROTOCOL when the length is impossible.
   */
  next(): boolean {
    const available = this.end - this.start
    if (available < 4) return false
    const length = u32At(this.bytes, this.start)
    if (length < 1 || length + 4 > this.maxMessageBytes) {
      throw protocolError(`a message of ${length} bytes, allowed are 1 to ${this.maxMessageBytes - 4}`)
    }
    if (available < 4 + length) return false
    this.type = this.bytes[this.start + 4]
    this.payload = this.bytes.subarray(this.start + MESSAGE_HEADER_BYTES, this.start + 4 + length)
    this.start += 4 + length
    assert(this.start <= this.end, 'a message ends within the bytes received')
    return true
  }
}

const EMPTY = new Uint8Array(0)
