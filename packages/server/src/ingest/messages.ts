import type { IntakeResult, IntakeTarget } from './intake.ts';

/** What the loop that answers says to a thread that checks uploads. */
export type ToThread =
  | { kind: 'begin'; target: IntakeTarget }
  /** Raw bytes; the memory becomes the thread's. */
  | { kind: 'bytes'; bytes: Uint8Array }
  | { kind: 'end' };

/** What the thread answers. */
export type FromThread =
  /** Bytes of one message are done with. */
  | { kind: 'taken' }
  | { kind: 'spooled'; bytes: number }
  | { kind: 'done'; result: IntakeResult }
  /** The upload is over; the thread is ready for another one. */
  | { kind: 'refused'; fault: Fault };

/** An error, as a message can carry it. */
export interface Fault {
  name: 'BadBody' | 'TooLarge' | 'Error';
  message: string;
  /** Of the system, such as ENOSPC. */
  code: string | undefined;
}
