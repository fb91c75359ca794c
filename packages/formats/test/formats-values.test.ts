import { expect, test } from 'vitest';
import { readFirst, ORDER, PAYMENT, readTables } from './both-formats.ts';

test('texts of every kind', async () => {
  const texts = [
    '',
    ' ',
    'a,b',
    'say "hi"',
    'a\r\nb',
    '\n',
    '=1+1',
    'Phở 🍜',
    '\u0000\u2028',
    'null',
    "o'",
  ];
  const orders = texts.map((title, index) => ({ ...ORDER, id: `O${index}`, title }));
  const tables = await readTables(orders);
  expect(tables.orders?.map(({ title }) => title)).toEqual(texts);
});

test('a note of 5 MB', async () => {
  const note = 'é"\n'.repeat(1_300_000);
  const rows = await readTables([
    { ...ORDER, note },
    { ...ORDER, id: 'O2' },
    { ...ORDER, id: 'O3', note, x: note },
  ]);
  expect(rows.orders?.map((row) => row.note === note)).toEqual([true, false, true]);
  expect(JSON.parse(rows.orders?.[2]?.other as string)).toEqual({ x: note });
}, 60_000);

test('nulls, zeros and absence', async () => {
  const tables = await readTables(
    [{ ...ORDER, state: null, total: 0, lineItems: null, employee: null, unknown: null }],
    [
      { ...PAYMENT, tipAmount: 0 },
      { ...PAYMENT, id: 'P2' },
    ],
  );
  expect(tables.orders?.[0]).toMatchObject({ state: null, total: '0', other: '{"unknown":null}' });
  expect(tables.payments?.map(({ tip_amount }) => tip_amount)).toEqual(['0', null]);
});

test('numbers are exact, or kept aside', async () => {
  const line = (total: string) =>
    `{"id":"${total}","createdTime":5,"modifiedTime":5,"total":${total}}`;
  const good = ['-5', '0', '9223372036854775807', '-9223372036854775807'];
  const bad = ['9223372036854775808', '1.5', '1e-3', '1e30', '"12"', 'true', '[1]', '{"a":1}'];
  const unusual = {
    '1250.0': '1250',
    '1.25e3': '1250',
    '-0': '0',
    '9007199254740993.0': '9007199254740993',
  };
  const { orders = [] } = await readTables(
    [...good, ...Object.keys(unusual), ...bad].map((total, index) =>
      line(total).replace(/"id":"[^,]*",/, `"id":"O${index}",`),
    ),
  );
  expect(orders.slice(0, 4).map(({ total, other }) => [total, other])).toEqual(
    good.map((total) => [total, null]),
  );
  expect(orders.slice(4, 8).map(({ total, other }) => [total, other])).toEqual(
    Object.values(unusual).map((total) => [total, null]),
  );
  expect(orders.slice(8).map(({ total, other }) => [total, other])).toEqual(
    bad.map((total) => [null, `{"total":${total}}`]),
  );
});

test('times are whole numbers, however they are written', async () => {
  const lines = [
    '{"id":"F1","createdTime":1767225601000.0,"modifiedTime":1767225601000.0,"total":1250.0}',
    '{"id":"F2","createdTime":1.767225602e12,"modifiedTime":1.767225602e12,"total":1.25e3}',
    '{"id":"F3","createdTime":1767225603000,"modifiedTime":1767225603000,"total":1250}',
  ];
  const { orders = [] } = await readTables(lines);
  expect(orders.map((row) => [row['created_time'], row['total'], row['other']])).toEqual(
    [1, 2, 3].map((second) => [`176722560${second}000`, '1250', null]),
  );
});

test('times outside the years 0 to 9999 are kept aside', async () => {
  const times = [
    -62_167_219_200_000, 253_402_300_799_999, -62_167_219_200_001, 253_402_300_800_000,
  ];
  const { orders = [] } = await readTables(
    times.map((modifiedTime, index) => ({ ...ORDER, id: `O${index}`, modifiedTime })),
  );
  expect(orders.map(({ modified_time }) => modified_time)).toEqual([
    '-62167219200000',
    '253402300799999',
    null,
    null,
  ]);
  expect(orders[2]?.other).toBe('{"modifiedTime":-62167219200001}');
});

test('unknown members at every level', async () => {
  const big = `[123456789012345678901234567890.10,1e400]`;
  const tables = await readTables([
    `{"id":"O1","createdTime":5,"big":${big},"employee":{"id":"E","href":"h"},"Total":1,"other":7,
      "lineItems":{"href":"x","elements":[
        {"id":"L1","orderRef":{"id":"O1","z":1},"item":{"id":"I","code":2},"a":[],
          "discounts":{"elements":[{"id":"D1","amount":-5,"b":{}}]}},
        {"id":"L2","orderRef":{"id":"elsewhere"}}]},
      "discounts":{"elements":[{"id":"D0","percentage":12.5}]},
      "payments":{"elements":[{"id":"P","refunds":{"elements":[]}}]}}`.replaceAll(/\n\s*/g, ''),
  ]);
  expect(tables.orders?.[0]?.other).toBe(
    `{"big":${big},"Total":1,"other":7,"employee":{"href":"h"},"lineItems":{"href":"x"}}`,
  );
  expect(tables.line_items?.map(({ other }) => other)).toEqual([
    '{"a":[],"orderRef":{"z":1},"item":{"code":2}}',
    '{"orderRef":{"id":"elsewhere"}}',
  ]);
  expect(tables.order_discounts).toEqual([
    {
      order_id: 'O1',
      position: '1',
      line_item_id: null,
      line_item_position: null,
      id: 'D0',
      name: null,
      amount: null,
      percentage: null,
      other: '{"percentage":12.5}',
    },
    {
      order_id: 'O1',
      position: '2',
      line_item_id: 'L1',
      line_item_position: '1',
      id: 'D1',
      name: null,
      amount: '-5',
      percentage: null,
      other: '{"b":{}}',
    },
  ]);
  expect(tables.order_payments?.[0]?.other).toBe('{"refunds":{"elements":[]}}');
});

test('collections that are none are kept whole', async () => {
  const tables = await readTables([
    {
      ...ORDER,
      lineItems: { elements: [{ id: 'L1' }, 5] },
      payments: [],
      discounts: 'x',
      employee: 3,
    },
  ]);
  expect(JSON.parse(tables.orders?.[0]?.other as string)).toEqual({
    lineItems: { elements: [{ id: 'L1' }, 5] },
    payments: [],
    discounts: 'x',
    employee: 3,
  });
  expect(tables.line_items).toEqual([]);
});

test('names in escapes, names that come twice, halves of pairs', async () => {
  const escaped = String.raw`{"id":"O1","createdTime":1,"t\u006ftal":5,"x\u00e9":1}`;
  expect(await readFirst([escaped])).toMatchObject({
    total: '5',
    other: String.raw`{"x\u00e9":1}`,
  });
  const twice = '{"id":"O1","createdTime":1,"total":5,"total":6}';
  expect(await readFirst([twice])).toMatchObject({ total: '5', other: '{"total":6}' });
  const halves = String.raw`{"id":"O1","createdTime":1,"title":"\ud83c","note":"\ud83c\udf5c","z":"\\ud800"}`;
  expect(await readFirst([halves])).toMatchObject({
    title: null,
    note: '🍜',
    other: String.raw`{"title":"\\ud83c","z":"\\ud800"}`,
  });
});
