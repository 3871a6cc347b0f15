import { describe, expect, test } from "vitest";

import { parseMqttAddress, showMqttAddress } from "../../../src/triggers/mqtt/mqtt-address.js";

describe("an address", () => {
  test.each([
    ["mqtt://broker/t", { host: "broker", port: 1883, isSecure: false, filter: "t" }],
    ["mqtts://broker/t", { port: 8883, isSecure: true }],
    ["mqtt://broker:1234/a/b", { port: 1234, filter: "a/b" }],
    ["mqtt://[::1]:1234/a", { host: "::1", port: 1234 }],
    ["mqtt://broker//a", { filter: "/a" }],
    ["mqtt://broker/#", { filter: "#" }],
    ["mqtt://broker/+/temperature/#", { filter: "+/temperature/#" }],
    ["mqtt://broker/a?b", { filter: "a?b" }],
    ["mqtt://broker/100%25", { filter: "100%" }],
    ["mqtt://me@broker/t", { user: "me", password: undefined }],
    ["mqtt://me:a%2Fb%40c@broker/t", { user: "me", password: "a/b@c" }],
    ["mqtt://me:{PASS_1}@broker/t", { user: "me", password: undefined, passwordSecret: "PASS_1" }],
    ["mqtt://me:%7BPASS%7D@broker/t", { password: "{PASS}", passwordSecret: undefined }],
  ])("%s", (text, expected) => {
    expect(parseMqttAddress(text)).toMatchObject(expected);
  });

  test.each([
    ["mqtt://broker", "expected mqtt://BROKER"],
    ["mqtt://broker/", "the topic is missing"],
    ["mqtt:///t", "the broker is missing"],
    ["mqtt://broker:0/t", "from 1 to 65535"],
    ["mqtt://broker:70000/t", "no [USER[:PASSWORD]@]BROKER"],
    ["mqtt://broker?a/t", "the topic is missing"],
    ["mqtt://broker/a+/b", "+ stands for a whole level"],
    ["mqtt://broker/#/b", "# stands for all that follows"],
    ["mqtt://broker/a#", "# stands for all that follows"],
    ["mqtt://broker/50%", "percent-encoded"],
    ["mqtt://broker/%00", "no character 0"],
    ["mqtt://:secret@broker/t", "the user before the password"],
    ["mqtt://me:%ff@broker/t", "the password must be percent-encoded"],
    [`mqtt://broker/${"x".repeat(65_536)}`, "too long"],
    ["http://broker/t", "expected mqtt://BROKER"],
  ])("%s is refused", (text, message) => {
    expect(() => parseMqttAddress(text)).toThrow(message);
    expect(() => parseMqttAddress(text)).toThrow(
      expect.objectContaining({ code: "ENOKI_INVALID_TRIGGER" }),
    );
  });

  test("is shown without its password, also one that is not percent-encoded", () => {
    expect(showMqttAddress("mqtt://me:secret@broker:1/t")).toBe("mqtt://me:***@broker:1/t");
    expect(showMqttAddress("mqtts://me:se:cr@et@broker/t")).toBe("mqtts://me:***@broker/t");
    expect(showMqttAddress("mqtt://me:se/cr@et@broker/t")).toBe("mqtt://me:***@broker/t");
    expect(showMqttAddress("mqtt://broker:1/me:a@b")).toBe("mqtt://broker:1/me:a@b");
  });
});
