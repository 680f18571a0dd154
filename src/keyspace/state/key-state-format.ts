/**
 * Numbers of the format of key states: docs/formats/key-state.md draws it.
 */

/** Flags of a record. */
export const RECORD_CONTINUES = 1
export const RECORD_HAS_MORE = 2
export const RECORD_FLAGS = RECORD_CONTINUES | RECORD_HAS_MORE

/** Head of a key state: parts in its lower bits, and what stands before them. */
export const HEAD_PARTS = 0x07
export const HEAD_EXPIRIES = 0x08
export const HEAD_ORPHANED = 0x10
export const HEAD_BITS = HEAD_PARTS | HEAD_EXPIRIES | HEAD_ORPHANED

/** Kind of a part: the KeyType in its lower bits. */
export const PART_TYPE = 0x07
/** A string that is more than one value. */
export const PART_COMPLEX = 0x40
/** OBJECT ENCODING of the string says raw. Each member's own: no part of the state's hash. */
export const PART_RAW = 0x80
export const PART_BITS = PART_TYPE | PART_COMPLEX | PART_RAW

/** Ends the elements of a part: none is of length 0. */
export const NO_MORE_ELEMENTS = 0

/** In the form of an element of any type but lists, whose elements all have one: it does not begin with a dot. */
export const NO_DOT = 0x01

/** In the form of an element without a dot: it ends in the stamp at which it was left without a value. Each member's own: no part of the state's hash. */
export const ORPHANED_ELEMENT = 0x20

/** In the form of an element of a stream: it is the member's own that wrote it, and no part of the state's hash. */
export const OWN_ELEMENT = 0x40

/** In the form of an element of any type: its dot is that of the element before, and is not said again. The first element of a record never has it. */
export const SAME_DOT = 0x80
