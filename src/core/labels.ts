const LABEL_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^[A-Za-z0-9._-]{0,63}$/;

/** True for `NAME=VALUE` as labels of nodes and their selectors are written. */
export function isLabel(text: string): boolean {
  const split = text.indexOf("=");
  return (
    split > 0 && LABEL_NAME.test(text.slice(0, split)) && LABEL_VALUE.test(text.slice(split + 1))
  );
}
