/** Numbers of words of 32 bits: what one in the higher word is worth, for halves that are put together and taken apart. */
export const TWO_32 = 2 ** 32
