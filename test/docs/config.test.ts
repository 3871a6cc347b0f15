import { expect, test } from "vitest";

import { describeSettings } from "../../src/node/settings.js";
import { readPage } from "./pages.js";

test("the table of settings is the schema's: every setting once, and no other", async () => {
  const page = await readPage("docs/reference/config.md");
  const rows = page.split("\n").filter((line) => line.startsWith("| `--"));
  const expected = describeSettings().map(
    ({ key, name, flag, env, value, shownDefault, description }) => {
      const shownFlag = value === undefined ? flag : `${flag} <${value}>`;
      const inFile = key === "config" ? "" : `\`${name}\``;
      return `| \`${shownFlag}\` | \`${env}\` | ${inFile} | ${shownDefault} | ${description} |`;
    },
  );
  expect(rows).toEqual(expected);
});
