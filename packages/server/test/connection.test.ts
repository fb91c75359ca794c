import { describe, expect, test } from 'vitest';
import {
  describeConnection,
  parseDatabaseUrl,
  switchEncryption,
} from '../src/database/connection.ts';

const parse = (text: string, environment: Record<string, string> = {}) =>
  parseDatabaseUrl(text, environment);

describe('the parts of an address', () => {
  test('all of them', () => {
    expect(parse('postgresql://me:s%40cret@db.example:6543/my%20tills?sslmode=disable')).toEqual({
      host: 'db.example',
      port: 6543,
      user: 'me',
      password: 's@cret',
      database: 'my tills',
      ssl: false,
      alternative: null,
    });
  });

  test('a directory of a Unix socket, as a parameter or as a host; never encrypted', () => {
    for (const text of [
      'postgres://me:pw@/tills?host=/run/my%20postgres&port=7&sslmode=require',
      'postgres://me:pw@%2Frun%2Fmy%20postgres:7/tills',
    ]) {
      expect(parse(text)).toMatchObject({
        host: '/run/my postgres',
        port: 7,
        database: 'tills',
        ssl: false,
        alternative: null,
      });
    }
  });

  test('an IPv6 address', () => {
    expect(parse('postgres://me@[::1]:7/tills')).toMatchObject({ host: '::1', port: 7 });
  });

  test('what is left open comes from PG*', () => {
    const environment = {
      PGHOST: 'db',
      PGPORT: '7',
      PGUSER: 'me',
      PGPASSWORD: 'pw',
      PGDATABASE: 'tills',
      PGSSLMODE: 'disable',
    };
    expect(parse('postgres:///', environment)).toMatchObject({
      host: 'db',
      port: 7,
      user: 'me',
      password: 'pw',
      database: 'tills',
      ssl: false,
    });
    expect(parse('postgres://you:xx@there:8/x?sslmode=require', environment)).toMatchObject({
      host: 'there',
      port: 8,
      user: 'you',
      password: 'xx',
      database: 'x',
      ssl: { rejectUnauthorized: false },
    });
  });

  test('an unescaped @ or : of a password that can be told apart is taken as it is', () => {
    expect(parse('postgres://me:a@b:c@db/tills')).toMatchObject({ host: 'db', password: 'a@b:c' });
  });
});

describe('a password that is not percent-encoded gets a hint, and is never repeated', () => {
  test.each([
    'postgres://me:hunter2#x@db:5432/tills',
    'postgres://me:12#hunter2@db/tills',
    'postgres://me:hunter2/x@db:5432/tills',
    'postgres://me:12/hunter2@db/tills',
    'postgres://me:hunter2?x@db:5432/tills',
    'postgres://me:12?hunter2@db/tills',
    'postgres://me:hunter2%x@db:5432/tills',
    'postgres://me:hunter2%@db:5432/tills',
    'postgres://me:a@hunter2/x@db:5432/tills',
    'postgres://me:hunter2@db/tills#hunter2',
    'postgres://hunter2/x:pw@db/tills',
  ])('%s', (text) => {
    let message = '';
    try {
      parse(text);
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain('must look like postgres://user:password@host:5432/database');
    expect(message).toContain('percent-encode');
    expect(message).toContain('%23');
    expect(message).not.toContain('hunter2');
  });
});

test.each(['maybe', 'REQUIRE'])('sslmode=%s is none', (mode) => {
  expect(() => parse(`postgres://me@db/tills?sslmode=${mode}`)).toThrow(
    `sslmode "${mode}" is not one of disable, allow, prefer, require, verify-ca, verify-full`,
  );
});

test('a file that cannot be read is named', () => {
  expect(() => parse('postgres://me@db/tills?sslmode=require&sslrootcert=/no/such.crt')).toThrow(
    'sslrootcert: /no/such.crt cannot be read',
  );
});

test('prefer changes over when the server refuses TLS, and back; require never', () => {
  const refusal = new Error('The server does not support SSL connections');
  const preferring = parse('postgres://me@db/tills');
  const tried = preferring.ssl;
  expect(tried).toMatchObject({ rejectUnauthorized: false });
  expect(switchEncryption(preferring, tried, new Error('no such table'))).toBe(false);
  expect(switchEncryption(preferring, tried, refusal)).toBe(true);
  expect(preferring.ssl).toBe(false);
  const denial = Object.assign(new Error('no pg_hba.conf entry'), { code: '28000' });
  expect(switchEncryption(preferring, false, denial)).toBe(true);
  expect(preferring.ssl).toBe(tried);
  const strict = parse('postgres://me@db/tills?sslmode=require');
  expect(switchEncryption(strict, strict.ssl, refusal)).toBe(false);
});

test('for people, without a password', () => {
  expect(describeConnection(parse('postgres://me:pw@db/tills'))).toBe('tills at db:5432');
  expect(describeConnection(parse('postgres://me:pw@/tills?host=/run'))).toBe('tills in /run');
});
