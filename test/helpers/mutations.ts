import fc from 'fast-check';

/** Damaged versions of a valid file: cut short, lengthened, or with some bytes replaced. */
export function mutationsOf(valid: Uint8Array): fc.Arbitrary<Uint8Array> {
  const at = fc.nat(valid.length - 1);
  const cut = at.map((length) => valid.slice(0, length));
  const lengthened = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((more) => Buffer.concat([valid, more]));
  const replaced = fc.array(fc.tuple(at, fc.nat(255)), { minLength: 1, maxLength: 6 }).map((edits) => {
    const bytes = valid.slice();
    for (const [index, byte] of edits) bytes[index] = byte;
    return bytes;
  });
  // Most interesting at the start, where the header is.
  const header = fc
    .array(fc.tuple(fc.nat(Math.min(valid.length - 1, 64)), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)), {
      minLength: 1,
      maxLength: 4,
    })
    .map((edits) => {
      const bytes = valid.slice();
      for (const [index, byte] of edits) bytes[index] = byte;
      return bytes;
    });
  return fc.oneof(cut, lengthened, replaced, header);
}
