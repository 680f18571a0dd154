import type { ByteWriter } from '../base/byte-stream.js'
import type { EffectReader } from './effect-reader.js'
import { MAX_LIST_INDEX, ListPosition, writeTopPosition, type NumberSink } from './list-position.js'

/** Kinds of `range` in docs/formats/effects.md. */
const END = 0
const ONE = 1
const RUN = 2
const BETWEEN = 3
const NEXT_ONE = 4
const NEXT_RUN = 5
const WRITTEN = 6

/**
 * Ranges of positions in a list-remove effect, from one position to another, both inclusive. What a range removes is for the context to say, so it may
 * span whatever lies between: a million elements that were pushed by few members are a handful of numbers.
 */
export class ListRangeReader {
  readonly first = new ListPosition()
  readonly last = new ListPosition()
  private begun = false
  /** What the ages of positions count from; 0: the effect's stamp. */
  private written = 0

  /** Before the first range of an effect. */
  begin(): void {
    this.begun = false
    this.written = 0
  }

  /** Reads the next range into first and last; false at the end, or when the effect has failed. */
  next(effect: EffectReader): boolean {
    const { first, last } = this
    let kind = effect.byte()
    if (kind === WRITTEN && !this.begun && this.written === 0) {
      this.written = effect.float64()
      if (!Number.isSafeInteger(this.written) || this.written < 1 || this.written > effect.stamp) {
        effect.fail('a list range written at an impossible time')
      }
      if (effect.error === null) kind = effect.byte()
    }
    if (kind === END) return false
    if (kind > NEXT_RUN || (kind >= NEXT_ONE && !this.begun)) effect.fail('a list range of unknown kind')
    if (effect.error !== null) return false
    if (kind >= NEXT_ONE) {
      first.copyFrom(last)
      setIndex(effect, first, last.index + 1 + effect.varint())
    } else {
      first.read(effect, this.stampOf(effect))
    }
    if (effect.error !== null) return false
    if (kind === BETWEEN) {
      last.read(effect, this.stampOf(effect))
      if (effect.error === null && first.compare(last) > 0) effect.fail('a list range that ends before it begins')
    } else {
      last.copyFrom(first)
      if (kind === RUN || kind === NEXT_RUN) setIndex(effect, last, first.index + effect.varint())
    }
    this.begun = true
    return effect.error === null
  }

  private stampOf(effect: EffectReader): number {
    return this.written === 0 ? effect.stamp : this.written
  }
}

function setIndex(effect: EffectReader, position: ListPosition, index: number): void {
  if (index > MAX_LIST_INDEX) effect.fail('a list range beyond the last index')
  else position.index = index
}

/** Writes them. */
export class ListRangeWriter {
  private readonly last = new ListPosition()
  private begun = false
  private stamp = 0

  /** @param stamp of the effect. */
  begin(stamp: number): void {
    this.begun = false
    this.stamp = stamp
  }

  /** The same, for an effect whose stamp is not known yet: positions are as of an earlier one. */
  beginAt(to: ByteWriter, written: number): void {
    this.begin(written)
    to.u8(WRITTEN)
    to.f64(written)
  }

  /** From a position to one of the same run that is `span` indexes on. */
  run(writer: NumberSink, first: ListPosition, span: number): void {
    const { last } = this
    const goesOn = this.begun && first.sharesRun(last) && first.index > last.index
    writer.putByte(goesOn ? (span === 0 ? NEXT_ONE : NEXT_RUN) : span === 0 ? ONE : RUN)
    if (goesOn) writer.putVarint(first.index - last.index - 1)
    else first.write(writer, this.stamp)
    if (span > 0) writer.putVarint(span)
    last.copyFrom(first)
    last.index += span
    this.begun = true
  }

  /** The only range of an effect: one position at the top level, in a run that is so much older than the effect. */
  onlyTop(writer: NumberSink, anchor: number, member: number, age: number, index: number): void {
    writer.putByte(ONE)
    writeTopPosition(writer, anchor, member, age, index)
    writer.putByte(END)
  }

  between(writer: NumberSink, first: ListPosition, last: ListPosition): void {
    if (first.sharesRun(last)) {
      this.run(writer, first, last.index - first.index)
      return
    }
    writer.putByte(BETWEEN)
    first.write(writer, this.stamp)
    last.write(writer, this.stamp)
    this.last.copyFrom(last)
    this.begun = true
  }

  end(writer: NumberSink): void {
    writer.putByte(END)
  }
}
