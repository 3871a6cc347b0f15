declare const brand: unique symbol;

/** A string that was checked once and cannot be mistaken for another kind of string. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
