// Draws the two pictures that the cameras send: `node draw.mjs` writes them beside this file.
// The first pixel of a picture is black unless there is an ambulance on it.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const [WIDTH, HEIGHT, HEAD_BYTES] = [80, 66, 54];
const COLOURS = {
  sky: [235, 206, 135],
  road: [90, 90, 90],
  line: [255, 255, 255],
  car: [160, 80, 30],
  wheel: [20, 20, 20],
  ambulance: [245, 245, 245],
  cross: [40, 40, 220],
  blue: [255, 90, 0],
};

/** A picture of 24 bits a pixel, as BMP has it: blue, green, red, the lowest row first. */
class Picture {
  #bytes = Buffer.alloc(HEAD_BYTES + WIDTH * HEIGHT * 3);

  constructor() {
    this.#bytes.write("BM");
    this.#bytes.writeUInt32LE(this.#bytes.length, 2);
    this.#bytes.writeUInt32LE(HEAD_BYTES, 10);
    this.#bytes.writeUInt32LE(40, 14);
    this.#bytes.writeInt32LE(WIDTH, 18);
    this.#bytes.writeInt32LE(HEIGHT, 22);
    this.#bytes.writeUInt16LE(1, 26);
    this.#bytes.writeUInt16LE(24, 28);
  }

  paint(colour, x, y, width, height) {
    for (let row = y; row < y + height; row++) {
      for (let column = x; column < x + width; column++) {
        this.#bytes.set(colour, HEAD_BYTES + (row * WIDTH + column) * 3);
      }
    }
  }

  save(name) {
    writeFileSync(fileURLToPath(new URL(name, import.meta.url)), this.#bytes);
  }
}

function street() {
  const picture = new Picture();
  picture.paint(COLOURS.sky, 0, 36, WIDTH, HEIGHT - 36);
  picture.paint(COLOURS.road, 0, 0, WIDTH, 36);
  for (let x = 2; x < WIDTH; x += 16) picture.paint(COLOURS.line, x, 17, 8, 2);
  vehicle(picture, COLOURS.car, 8, 6, 20, 7);
  vehicle(picture, COLOURS.car, 48, 22, 18, 6);
  picture.paint([0, 0, 0], 0, 0, 1, 1);
  return picture;
}

function vehicle(picture, colour, x, y, width, height) {
  picture.paint(colour, x, y, width, height);
  picture.paint(colour, x + 4, y + height, width - 9, 4);
  for (const at of [x + 3, x + width - 6]) picture.paint(COLOURS.wheel, at, y - 2, 4, 4);
}

street().save("street.bmp");
const ambulance = street();
vehicle(ambulance, COLOURS.ambulance, 36, 8, 26, 13);
ambulance.paint(COLOURS.cross, 47, 11, 3, 9);
ambulance.paint(COLOURS.cross, 44, 14, 9, 3);
ambulance.paint(COLOURS.blue, 45, 25, 4, 3);
ambulance.paint(COLOURS.line, 0, 0, 1, 1);
ambulance.save("ambulance.bmp");
