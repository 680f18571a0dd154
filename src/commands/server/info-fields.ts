/** The fields of a section of INFO, in order. */
export type InfoFields = readonly (readonly [name: string, value: string | number])[]
