import { describe, expect, test } from 'vitest';
import {
  isConflict,
  isConnectionLoss,
  isNoAnswer,
  isTransient,
  leavesCommitOpen,
} from '../src/database/faults.ts';

const coded = (code: string, message = 'x'): Error => Object.assign(new Error(message), { code });

describe('"not this server, not this session": the connection is not used again', () => {
  test.each([
    '08000',
    '08003',
    '08006',
    '08P01',
    '57P01',
    '57P02',
    '57P03',
    '57P05',
    '53300',
    '25006',
    '25P03',
    '25P04',
    'ECONNRESET',
    'ECONNREFUSED',
    'EPIPE',
  ])('%s', (code) => {
    expect(isConnectionLoss(coded(code))).toBe(true);
    expect(isTransient(coded(code))).toBe(true);
  });

  test('what a standby answers to BEGIN READ WRITE, and nothing else of that code', () => {
    const message = 'cannot set transaction read-write mode during recovery';
    expect(isConnectionLoss(coded('0A000', message))).toBe(true);
    expect(isConnectionLoss(coded('0A000', 'not supported'))).toBe(false);
  });

  test.each([
    'Connection terminated unexpectedly',
    'Connection terminated',
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
    'Query read timeout',
    'timeout expired',
    'timeout exceeded when trying to connect',
  ])('%s', (message) => {
    expect(isConnectionLoss(new Error(message))).toBe(true);
  });

  test.each(['23505', '42P01', '22P02', '40001', '57014', '55P03'])(
    "%s is the statement's own",
    (code) => {
      expect(isConnectionLoss(coded(code))).toBe(false);
    },
  );
});

test('a server that does not answer is not asked again at once', () => {
  expect(isNoAnswer(new Error('Query read timeout'))).toBe(true);
  expect(isNoAnswer(coded('57P01'))).toBe(false);
});

test('an error of COMMIT: certain where the server refused it, open where the answer is lost', () => {
  for (const code of ['57P01', '57P02', '08006', 'ECONNRESET']) {
    expect(leavesCommitOpen(coded(code))).toBe(true);
  }
  expect(leavesCommitOpen(new Error('Query read timeout'))).toBe(true);
  for (const code of ['25006', '25P03', '40001', '23505', '23503']) {
    expect(leavesCommitOpen(coded(code))).toBe(false);
  }
});

test('limits, resources and what an operator fixes pass; a mistake of ours does not', () => {
  for (const code of ['57014', '55P03', '53100', '53200', '58030', '28P01', '3D000', '40001']) {
    expect(isTransient(coded(code))).toBe(true);
  }
  for (const code of ['42601', '22P02', '23505']) expect(isTransient(coded(code))).toBe(false);
  expect(isConflict(coded('23505'))).toBe(true);
});
