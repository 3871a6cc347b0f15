import { expect, test } from "vitest";

import { EXIT_CODES, exitCodeOf, renderError } from "../../../src/cli/exit.js";
import { RemoteError } from "../../../src/client/problem.js";
import { ERRORS, EnokiError, type ErrorCode } from "../../../src/core/errors.js";

test("every code of the catalogue has an exit code that the help explains", () => {
  const explained = new Set(EXIT_CODES.map(([code]) => code));
  for (const [code, { exitCode }] of Object.entries(ERRORS)) {
    expect(exitCodeOf(new EnokiError(code as ErrorCode))).toBe(exitCode);
    expect(explained).toContain(exitCode);
  }
});

test("an error is its detail, its code and what to do", () => {
  expect(renderError(new EnokiError("ENOKI_KEYGROUP_NOT_FOUND", "there is no keygroup x"))).toBe(
    "error: there is no keygroup x\ncode: ENOKI_KEYGROUP_NOT_FOUND\nfix: ask a node that has it (--node URL), make it with `enoki keygroups create`, or list those here with `enoki keygroups ls`\n",
  );
});

test("a function's failure shows its type, message and traceback", () => {
  const error = new EnokiError("ENOKI_LOAD_FAILED", "it does not load", {
    errorType: "ValueError",
    message: "no",
    traceback: "Traceback:\n  line 1\n",
  });
  expect(renderError(error).split("\n").slice(0, 5)).toEqual([
    "error: it does not load",
    "  errorType: ValueError",
    "  message: no",
    "  Traceback:",
    "    line 1",
  ]);
});

test("the code of a newer node is shown as it is, with that node's own advice", () => {
  const error = new RemoteError("ENOKI_NEW", 503, "too new", { fix: "update the client" });
  expect(renderError(error)).toBe("error: too new\ncode: ENOKI_NEW\nfix: update the client\n");
  expect(exitCodeOf(error)).toBe(7);
  expect(exitCodeOf(new RemoteError("ENOKI_NEW", 400, "x"))).toBe(2);
  expect(exitCodeOf(new RemoteError("ENOKI_NEW", 404, "x"))).toBe(1);
});

test("anything else is a bug and shows where it happened", () => {
  const shown = renderError(new TypeError("x is not a function"));
  expect(shown).toContain("x is not a function\n    at ");
  expect(shown).toContain("code: ENOKI_INTERNAL");
});
