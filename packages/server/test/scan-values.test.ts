import { type ExportType, MAX_OBJECT_TIME_MS } from '@tillroll/contract';
import { describe, expect, test } from 'vitest';
import { object, refusal } from './scan-line.ts';

describe('members written otherwise than all readers expect', () => {
  const integers: [ExportType, (value: string) => string, string][] = [
    ['ORDERS', (value) => `"total":${value}`, 'total'],
    [
      'ORDERS',
      (value) => `"lineItems":{"elements":[{"price":${value}}]}`,
      'lineItems.elements[].price',
    ],
    [
      'ORDERS',
      (value) => `"lineItems":{"elements":[{"unitQty":${value}}]}`,
      'lineItems.elements[].unitQty',
    ],
    [
      'ORDERS',
      (value) => `"discounts":{"elements":[{"amount":${value}}]}`,
      'discounts.elements[].amount',
    ],
    [
      'ORDERS',
      (value) => `"payments":{"elements":[{"tipAmount":${value}}]}`,
      'payments.elements[].tipAmount',
    ],
    [
      'ORDERS',
      (value) => `"refunds":{"elements":[{"taxAmount":${value}}]}`,
      'refunds.elements[].taxAmount',
    ],
    ['PAYMENTS', (value) => `"cashTendered":${value}`, 'cashTendered'],
    [
      'PAYMENTS',
      (value) => `"refunds":{"elements":[{"amount":${value}}]}`,
      'refunds.elements[].amount',
    ],
    [
      'PAYMENTS',
      (value) => `"taxRates":{"elements":[{"taxAmount":${value}}]}`,
      'taxRates.elements[].taxAmount',
    ],
  ];
  test.each(integers)('an integer of %s in %s', (type, write, path) => {
    for (const value of [
      '1250.0',
      '1.25e3',
      '125E1',
      '1.5',
      '-0',
      '-0.0',
      '0e0',
      '9007199254740992',
      '-9007199254740992',
      '9'.repeat(400),
      '"1250"',
      'true',
      '[]',
      '[1]',
      '{}',
      '{"a":1}',
    ]) {
      const reason = refusal(object(write(value)), type);
      expect(reason, value).toMatch(
        new RegExp(`^${path.replaceAll(/[.[\]]/g, '\\$&')} must be a whole number`),
      );
      expect(reason).toContain(`got ${value.slice(0, 20)}`);
    }
    for (const value of ['0', '-1', '1250', '9007199254740991', '-9007199254740991', 'null'])
      expect(refusal(object(write(value)), type), value).toBeNull();
  });

  const times: [ExportType, (value: string) => string][] = [
    ['ORDERS', (value) => `"modifiedTime":${value}`],
    ['ORDERS', (value) => `"lineItems":{"elements":[{"createdTime":${value}}]}`],
    ['ORDERS', (value) => `"payments":{"elements":[{"modifiedTime":${value}}]}`],
    ['PAYMENTS', (value) => `"clientCreatedTime":${value}`],
    ['PAYMENTS', (value) => `"refunds":{"elements":[{"createdTime":${value}}]}`],
  ];
  test.each(times)('a time of %s', (type, write) => {
    for (const value of [
      '1767225601000.0',
      '1.767225601e12',
      '-1',
      '-0',
      '"1767225601000"',
      'true',
      '{}',
      String(MAX_OBJECT_TIME_MS + 1),
    ])
      expect(refusal(object(write(value)), type), value).toMatch(
        / must be a whole number of epoch milliseconds/,
      );
    for (const value of ['0', '1', '1000', '99999999', '10000000000', '1767225601000', 'null'])
      expect(refusal(object(write(value)), type), value).toBeNull();
    for (const value of ['1767225601', '100000000', '9999999999'])
      expect(refusal(object(write(value)), type)).toContain(
        `got ${value}, which looks like seconds: send ${value}000`,
      );
    expect(refusal(object(write('1767225601000000')), type)).toContain('looks like microseconds');
    expect(refusal(object(write('1767225601000000000')), type)).toContain('looks like nanoseconds');
  });

  test('createdTime in seconds', () => {
    expect(refusal('{"id":"SEC1","createdTime":1767225601,"total":1}')).toBe(
      'createdTime must be epoch milliseconds; got 1767225601, which looks like seconds: send 1767225601000',
    );
  });

  test.each([
    ['"employee":{"id":7}', 'employee.id must be a string; got 7'],
    ['"lineItems":{"elements":[{"id":7}]}', 'lineItems.elements[].id must be a string; got 7'],
    [
      '"lineItems":{"elements":[{"item":{"id":["x"]}}]}',
      'lineItems.elements[].item.id must be a string; got ["x"]',
    ],
    ['"employee":"E1"', 'employee must be an object; got "E1"'],
    ['"employee":[{"id":"E1"}]', 'employee must be an object; got [{"id":"E1"}]'],
    ['"refunds":[{"id":"R","amount":5}]', 'refunds must be an object; got [{"id":"R","amount":5}]'],
    [
      '"refunds":{"elements":{"id":"R"}}',
      'refunds.elements must be an array of objects; got {"id":"R"}',
    ],
    ['"refunds":{"elements":[null]}', 'refunds.elements must be an array of objects; got [null]'],
    [
      '"refunds":{"elements":[{"id":"R"},7]}',
      'refunds.elements must be an array of objects; got [{"id":"R"},7]',
    ],
    ['"refunds":{"elements":[[]]}', 'refunds.elements must be an array of objects; got [[]]'],
    [
      '"note":"a\\ud800b"',
      'note must be text that UTF-8 can hold; got half of a surrogate pair, in "a\\ud800b"',
    ],
    ['"employee":{"id":"\\udc00"}', 'employee.id must be text that UTF-8 can hold'],
  ])('{%s}', (members, reason) => {
    expect(refusal(object(members))).toContain(reason);
  });

  test.each([
    '"employee":null,"lineItems":null,"refunds":{"href":"https://x"},"discounts":{"elements":null}',
    '"employee":{"href":"x"},"lineItems":{"elements":[{"item":{}}]}',
    '"note":5,"title":{"a":1},"state":["x"],"isVat":"yes","testMode":1',
    '"note":"\\ud83d\\ude00 \\u0000 \\u2028","x":"\\ud800"',
    '"lineItems":{"elements":[{"discounts":{"elements":[{"percentage":12.5}]}}]}',
    '"taxRates":{"elements":[{"rate":10000000.000,"taxAmount":1.5}]}',
    '"x":{"total":1.5,"createdTime":"now","refunds":[1]}',
    '"__proto__":{"x":1},"constructor":{"prototype":null},"":0',
  ])('{%s} is read alike by all', (members) => {
    expect(refusal(object(members))).toBeNull();
  });
});
