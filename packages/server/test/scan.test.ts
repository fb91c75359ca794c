import { type ExportType, MAX_OBJECT_DEPTH } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HEAD, object, refusal } from './scan-line.ts';

describe('the grammar is that of JSON.parse', () => {
  /** Texts that are nearly JSON: a valid one with a few characters removed, doubled or replaced. */
  const nearly = fc
    .tuple(
      fc.jsonValue({ maxDepth: 3, noUnicodeString: false }),
      fc.array(
        fc.record({
          at: fc.nat(),
          remove: fc.nat({ max: 2 }),
          put: fc.constantFrom(
            '',
            '"',
            '\\',
            '{',
            '}',
            '[',
            ']',
            ',',
            ':',
            '0',
            '-',
            '.',
            'e',
            '+',
            'u',
            ' ',
            'null',
            '\u0001',
            '\\u12',
            '1e5',
            '01',
            'tru',
            'x',
          ),
        }),
        { maxLength: 3 },
      ),
    )
    .map(([value, edits]) => {
      let text = JSON.stringify(value);
      for (const { at, remove, put } of edits) {
        const place = at % (text.length + 1);
        text = text.slice(0, place) + put + text.slice(place + remove);
      }
      return text;
    });

  function isJson(text: string): boolean {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  }

  test('for any text instead of a value', () => {
    let valid = 0;
    fc.assert(
      fc.property(nearly, (text) => {
        // Lines are cut at line feeds before; a lone half of a pair has no UTF-8.
        const line = `{${HEAD},"x":${text}}`.replaceAll('\n', ' ');
        if (!line.isWellFormed()) return;
        const isValid = isJson(line);
        if (isValid) valid++;
        const reason = refusal(line);
        // An edit may have opened the object early: a known member twice is another reason.
        if (isValid) expect(reason ?? 'stands twice').toMatch(/stands twice|must be/);
        else expect(reason).not.toBeNull();
      }),
      { numRuns: 5000 },
    );
    expect(valid).toBeGreaterThan(500);
  });

  test.each(['0', '-0', '-1', '10', '1.0', '-1.5e+10', '1E-2', '0.1', '1e400', '9'.repeat(400)])(
    'the number %s may stand where nobody reads it',
    (number) => expect(refusal(object(`"x":${number},"y":[${number}]`))).toBeNull(),
  );

  test.each(['01', '1.', '.5', '+1', '-', '1e', '1e+', '0x1', 'Infinity', 'NaN', '1_000', '--1'])(
    'the number %s is not JSON',
    (number) => {
      expect(refusal(object(`"x":${number}`))).toContain('not valid JSON');
      expect(refusal(object(`"total":${number}`))).not.toBeNull();
    },
  );
});

describe('a member twice', () => {
  const twice: [ExportType, string, string][] = [
    ['ORDERS', '"total":100,"total":200', 'total'],
    ['ORDERS', '"total":100,"total":100', 'total'],
    ['ORDERS', '"total":100,"x":{"total":1},"tot\\u0061l":100', 'total'],
    ['ORDERS', '"id":"B"', 'id'],
    ['ORDERS', '"cre\\u0061tedTime":1', 'createdTime'],
    ['ORDERS', '"note":null,"note":"x"', 'note'],
    ['ORDERS', '"isVat":true,"isVat":true', 'isVat'],
    ['ORDERS', '"employee":{"id":"E"},"employee":{"id":"F"}', 'employee'],
    ['ORDERS', '"employee":{"id":"E","id":"E"}', 'employee.id'],
    ['ORDERS', '"lineItems":{"elements":[],"elements":[]}', 'lineItems.elements'],
    [
      'ORDERS',
      '"lineItems":{"elements":[{"id":"L1","price":1},{"id":"L2","price":1,"price":2}]}',
      'lineItems.elements[].price',
    ],
    [
      'ORDERS',
      '"lineItems":{"elements":[{"discounts":{"elements":[{"amount":-1,"amount":-1}]}}]}',
      'lineItems.elements[].discounts.elements[].amount',
    ],
    ['PAYMENTS', '"amount":1,"amount":2', 'amount'],
    ['PAYMENTS', '"result":"SUCCESS","result":"FAIL"', 'result'],
    [
      'PAYMENTS',
      '"refunds":{"elements":[{"id":"R","amount":1,"amount":2}]}',
      'refunds.elements[].amount',
    ],
    ['PAYMENTS', '"taxRates":{"elements":[{"rate":1,"rate":2}]}', 'taxRates.elements[].rate'],
    ['PAYMENTS', '"cardTransaction":{"last4":"1","last4":"2"}', 'cardTransaction.last4'],
  ];
  test.each(twice)('%s {%s} is refused', (type, members, path) => {
    expect(refusal(object(members), type)).toContain(`${path} stands twice in its object`);
  });

  test.each([
    '"x":1,"x":2,"x":{"y":1,"y":2}',
    '"total":1,"Total":2,"TOTAL":3',
    '"lineItems":{"elements":[{"id":"L","price":1},{"id":"L","price":1}]}',
    '"employee":{"id":"E"},"device":{"id":"E"}',
    // Known to payments alone.
    '"amount":1,"amount":2',
    '"__proto__":{"total":1},"__proto__":{"total":2}',
    '"":1,"":2',
  ])('{%s} is not: no reader of ours looks at it, or it is another member', (members) => {
    expect(refusal(object(members))).toBeNull();
  });
});

describe('depth', () => {
  test.each([
    ['arrays', '[', ']', ''],
    ['objects', '{"a":', '}', '1'],
    ['both', '[{"a":', '}]', '[]'],
  ])('%s up to the limit and not a level deeper', (_what, open, close, core) => {
    const perLevel = open.split(/[[{]/).length - 1;
    const nested = (levels: number): string =>
      object(`"x":${open.repeat(levels)}${core}${close.repeat(levels)}`);
    const coreLevels = core === '[]' ? 1 : 0;
    const fits = Math.floor((MAX_OBJECT_DEPTH - 1 - coreLevels) / perLevel);
    expect(refusal(nested(fits))).toBeNull();
    expect(refusal(nested(fits + 1))).toContain(`nested deeper than ${MAX_OBJECT_DEPTH} levels`);
    expect(refusal(nested(100_000))).toContain(`nested deeper than ${MAX_OBJECT_DEPTH} levels`);
  });

  test('a line of 8 MiB of empty arrays needs no memory of its own', () => {
    const before = process.memoryUsage().heapUsed;
    expect(refusal(object(`"x":[${'[],'.repeat(2_700_000)}1]`))).toBeNull();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('what is not JSON lines says what it is', () => {
  const order = object('"total":1');
  test.each<[string, Buffer | string, string]>([
    [
      'UTF-16 with a mark, LE',
      Buffer.from(`\ufeff${order}`, 'utf16le'),
      'UTF-16 or UTF-32: send UTF-8',
    ],
    ['UTF-16 without one, LE', Buffer.from(order, 'utf16le'), 'UTF-16 or UTF-32: send UTF-8'],
    [
      'UTF-16 with a mark, BE',
      Buffer.from(`\ufeff${order}`, 'utf16le').swap16(),
      'UTF-16: send UTF-8',
    ],
    [
      'UTF-16 without one, BE',
      Buffer.from(order, 'utf16le').swap16(),
      'UTF-16 or UTF-32: send UTF-8',
    ],
    [
      'UTF-32, LE',
      Buffer.from([...Buffer.from(order)].flatMap((byte) => [byte, 0, 0, 0])),
      'UTF-16 or UTF-32: send UTF-8',
    ],
    [
      'UTF-32 with a mark, BE',
      Buffer.from([0, 0, 0xfe, 0xff, 0, 0, 0, 0x7b]),
      'UTF-32: send UTF-8',
    ],
    [
      'a second byte order mark',
      `\ufeff${order}`,
      'a byte order mark may stand at the start of the body alone',
    ],
    [
      'CR alone',
      `${order}\r${order}`,
      'lines end with a carriage return alone: end them with a line feed',
    ],
    ['record separators', `\u001e${order}`, 'a record separator (RFC 7464)'],
    ['an array', `[${order},${order}]`, 'an array; send each of its objects on a line of its own'],
    ['the first line of an array', '[', 'an array; send each of its objects on a line of its own'],
    [
      'an envelope',
      `{"elements":[${order}]}`,
      'an envelope {"elements":[...]}, as files of exports are; send each of its objects on a line of its own',
    ],
    [
      'the first line of an object over several',
      '{',
      'the line ends inside of the object: send each object on one line',
    ],
    ['a line of an object over several', '  "id": "A",', 'an object was expected'],
    [
      'an object in quotes',
      JSON.stringify(order),
      'a string; send the object itself, not its text in quotes',
    ],
    ['CSV', 'id,createdTime,total', 'looks like CSV'],
    ['CSV in quotes', '"id";"createdTime";"total"', 'looks like CSV'],
    ['HTML', '<!doctype html><html>', 'HTML or XML'],
    ['a comma behind', `${order},`, 'without commas between them'],
    [
      'two on a line',
      `${order} ${order}`,
      'another object follows on the same line: end each with a line feed',
    ],
    ['a zip archive', Buffer.from('504b030414000000', 'hex'), 'a zip archive'],
    ['Zstandard', Buffer.from('28b52ffd04580900', 'hex'), 'Zstandard'],
    ['Parquet', 'PAR1xxxx', 'a Parquet file'],
    ['latin1', Buffer.from(object('"note":"é"'), 'latin1'), 'not valid UTF-8'],
  ])('%s', (_what, text, reason) => {
    expect(refusal(text)).toContain(reason);
  });

  test('a message is one short line, whatever was sent', () => {
    for (const text of [
      `"${'\u2028'.repeat(5000)}"`,
      `[${'"x",'.repeat(50_000)}1]`,
      '\u0007\u001b[31m',
      object(`"total":"${'\u009b'.repeat(500)}"`),
    ]) {
      const reason = refusal(text) ?? '';
      expect(reason.length).toBeLessThan(900);
      // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
      expect(reason).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028]/);
    }
  });
});
