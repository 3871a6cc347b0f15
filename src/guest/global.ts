/** Under this name the guest offers the module `enoki` to the author's bundled code. */
export const GUEST = Symbol.for("enoki.guest");
