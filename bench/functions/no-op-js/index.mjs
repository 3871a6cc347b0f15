/** Does nothing: what is left is the platform. */
export function call() {
  return "ok";
}
