/**
 * Mistakes that the simulator must find: each changes a class of the product (or of the machine below it) from outside, so that the product
 * itself has no switches.
 */
export interface PlantedBug {
  readonly name: string
  readonly what: string
  /** Where it is looked for, when only one kind of load brings it out soon. */
  readonly profile?: string
  /** Makes the mistake; the result takes it back. */
  apply(): () => void
}

export type Call = (...args: unknown[]) => unknown

/** How often planted code has run since the last plant: a bug that never runs proves nothing about the simulator. */
let exercised = 0

export function timesExercised(): number {
  return exercised
}

export function countExercisedAnew(): void {
  exercised = 0
}

function replace(target: object, name: string, make: (method: Call) => (self: object, args: unknown[]) => unknown): () => void {
  const found = Object.getOwnPropertyDescriptor(target, name)
  if (found === undefined || typeof found.value !== 'function') throw new Error(`there is no method ${name} to plant a bug in`)
  const run = make(found.value as Call)
  Object.defineProperty(target, name, {
    ...found,
    value: function (this: object, ...args: unknown[]) {
      exercised++
      return run(this, args)
    },
  })
  return () => {
    Object.defineProperty(target, name, found)
  }
}

/** Replaces a method that the compiler does not let us name; for those without arguments worth naming. */
export function patchHidden(
  owner: { readonly prototype: object },
  name: string,
  run: (self: object, original: Call, args: unknown[]) => unknown,
): () => void {
  return replace(
    owner.prototype,
    name,
    (method) => (self, args) => run(self, (...changed) => Reflect.apply(method, self, changed), args),
  )
}

/**
 * Replaces a public method. Typed by the method itself: when its parameters change, the plant no longer compiles, rather than
 * crash or do nothing and pass for a bug that is caught.
 */
export function patch<C extends object, K extends keyof C & string>(
  owner: { readonly prototype: C },
  name: K,
  make: (original: C[K], self: C) => C[K],
): () => void {
  return replace(owner.prototype, name, (method) => (self, args) => {
    const original = ((...changed: unknown[]) => Reflect.apply(method, self, changed)) as C[K]
    return Reflect.apply(make(original, self as C) as Call, self, args)
  })
}

/** Replaces a getter. */
export function patchGetter(owner: { readonly prototype: object }, name: string, get: (self: object) => unknown): () => void {
  const found = Object.getOwnPropertyDescriptor(owner.prototype, name)
  if (found?.get === undefined) throw new Error(`there is no getter ${name} to plant a bug in`)
  Object.defineProperty(owner.prototype, name, {
    ...found,
    get(this: object) {
      exercised++
      return get(this)
    },
  })
  return () => {
    Object.defineProperty(owner.prototype, name, found)
  }
}

/** The object's field, private or not. */
export function field(self: object, name: string): unknown {
  return (self as Record<string, unknown>)[name]
}

export function both(...undos: (() => void)[]): () => void {
  return () => {
    for (const undo of undos.reverse()) undo()
  }
}
