import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameParser } from '../src/peers/frame.ts';
import { WireError } from '../src/peers/wire-reader.ts';

const MAX_FRAME_BYTES = 1000;

function framed(body: Uint8Array): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length);
  return Buffer.concat([header, body]);
}

/** Cuts `stream` at the given places, in order. */
function split(stream: Buffer, cuts: readonly number[]): Buffer[] {
  const edges = [0, ...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length];
  return edges.slice(1).map((end, i) => stream.subarray(edges[i], end));
}

function parse(chunks: readonly Buffer[]): string[] {
  const parser = new FrameParser(MAX_FRAME_BYTES);
  return chunks.flatMap((chunk) => [...parser.push(chunk)].map((body) => body.toString('hex')));
}

test('every split of a stream gives the same frames', () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 12 });
  fc.assert(
    fc.property(bodies, fc.array(fc.nat(), { maxLength: 30 }), (list, cuts) => {
      const expected = list.map((body) => Buffer.from(body).toString('hex'));
      expect(parse(split(Buffer.concat(list.map(framed)), cuts))).toEqual(expected);
    }),
  );
});

test('a stream that comes byte by byte gives the same frames', () => {
  const stream = Buffer.concat([
    framed(Buffer.from('one')),
    framed(Buffer.alloc(0)),
    framed(Buffer.from('three')),
  ]);
  const chunks = [...stream].map((byte) => Buffer.from([byte]));
  expect(parse(chunks)).toEqual(['one', '', 'three'].map((text) => Buffer.from(text).toString('hex')));
});

test('a frame over the limit is refused at its header, after the frames before it', () => {
  const parser = new FrameParser(MAX_FRAME_BYTES);
  const header = Buffer.alloc(4);
  header.writeUInt32BE(MAX_FRAME_BYTES + 1);
  const frames = parser.push(Buffer.concat([framed(Buffer.alloc(MAX_FRAME_BYTES, 7)), header]));
  expect(frames.next().value).toEqual(Buffer.alloc(MAX_FRAME_BYTES, 7));
  expect(() => frames.next()).toThrow(WireError);
});
