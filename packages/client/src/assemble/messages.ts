/** Messages between the main thread and the assembling one, and errors in them. */
import { ExportError, type ErrorCode } from '../errors.ts';
import type {
  AddedPart,
  AssembledFile,
  AssemblyJob,
  IndexedLines,
  PartInput,
  SharedId,
} from './job.ts';

/** The requests that the worker answers, one at a time and in their order. */
export interface Calls {
  /** `aborted`: shared memory; another number than 0 ends the assembly with INTERRUPTED. */
  begin: { input: { job: AssemblyJob; aborted: Int32Array }; output: undefined };
  add: { input: PartInput; output: AddedPart };
  finish: { input: undefined; output: AssembledFile };
  abort: { input: undefined; output: undefined };
  findShared: { input: { a: IndexedLines; b: IndexedLines }; output: SharedId[] };
}
export type CallName = keyof Calls;

/** A request to the worker. */
export type Request = {
  [Name in CallName]: { id: number; name: Name; input: Calls[Name]['input'] };
}[CallName];

/** The worker's answer to a request. */
export type Answer =
  | { id: number; output: Calls[CallName]['output'] }
  | { id: number; error: WireError };

/** An error between threads: structured cloning keeps neither classes nor the members of a system error. */
export interface WireError {
  message: string;
  /** Set for an ExportError. */
  exportCode: ErrorCode | undefined;
  hint: string | undefined;
  /** Set for an error of the system. */
  system: Pick<NodeJS.ErrnoException, 'code' | 'errno' | 'syscall' | 'path'> | undefined;
  stack: string | undefined;
}

/** Turns an error into a message. */
export function packError(error: unknown): WireError {
  if (!(error instanceof Error)) return { ...NO_DETAILS, message: String(error) };
  const { message, stack } = error;
  if (error instanceof ExportError)
    return { ...NO_DETAILS, message: error.detail, exportCode: error.code, hint: error.hint };
  const { code, errno, syscall, path } = error as NodeJS.ErrnoException;
  const isSystem = code !== undefined && syscall !== undefined;
  const system = isSystem ? { code, errno, syscall, path } : undefined;
  return { ...NO_DETAILS, message, stack, system };
}

const NO_DETAILS = {
  exportCode: undefined,
  hint: undefined,
  system: undefined,
  stack: undefined,
};

/** Makes the error of a message. */
export function unpackError({ message, exportCode, hint, system, stack }: WireError): Error {
  if (exportCode !== undefined) return new ExportError(exportCode, message, { hint });
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return Object.assign(error, system);
}
