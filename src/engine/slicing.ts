import { LIMITS } from '../base/limits.js'

/** From where on work goes in slices, and how large these are. */
export interface Slicing {
  readonly readElements: number
  readonly writeElements: number
  readonly frameBytes: number
  /** Steps of a write in one turn. */
  readonly turnSteps: number
  /** Bytes of effects in a step of applying a frame. */
  readonly stepBytes: number
  /** Commands of a transaction; Infinity: all of it goes in one go, however long they are. */
  readonly transactionCommands: number
}

export const USUAL_SLICING: Slicing = {
  readElements: LIMITS.slicedReadElements,
  writeElements: LIMITS.slicedWriteElements,
  frameBytes: LIMITS.slicedFrameBytes,
  turnSteps: Infinity,
  stepBytes: LIMITS.slicedFrameStepBytes,
  transactionCommands: LIMITS.slicedTransactionCommands,
}
