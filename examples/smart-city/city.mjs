// What the city's sensors and cameras send: requests drawn from a seed, so that every run sends the same.
import { readFileSync } from "node:fs";

/** How often each function is called, out of 100 times (paper, section 5). */
const SHARES = [
  ["traffic-sensor-filter", 45],
  ["object-recognition", 45],
  ["weather-sensor-filter", 10],
];

const [street, ambulance] = ["street", "ambulance"].map((name) =>
  readFileSync(new URL(`images/${name}.bmp`, import.meta.url)).toString("base64"),
);

/** A picture with an ambulance on it. */
export function emergency() {
  return { name: "object-recognition", data: { image: ambulance } };
}

/** Draws requests, as {name, data}. Of the readings half are such that a filter stops them. */
export class City {
  #state;

  constructor(seed) {
    this.#state = seed;
  }

  next() {
    let left = this.#below(100);
    const [name] = SHARES.find(([, share]) => (left -= share) < 0);
    return { name, data: this.#data(name) };
  }

  #data(name) {
    const isStopped = this.#below(2) === 0;
    if (name === "object-recognition") return { image: this.#below(20) === 0 ? ambulance : street };
    if (name === "weather-sensor-filter") {
      const [temperature, humidity, wind] = [
        this.#below(35) - 5,
        this.#below(101),
        this.#below(40),
      ];
      return { temperature, humidity, wind, rain: !isStopped };
    }
    const plate = isStopped ? "no plate" : `EN OK ${this.#below(40)}`;
    return { carDirection: { plate, direction: this.#below(5), speed: this.#below(39) } };
  }

  /** xorshift: the numbers are the same everywhere. */
  #below(limit) {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % limit;
  }
}
