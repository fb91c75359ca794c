/** The messages between the event loop and a thread that checks uploads. */
import type { IntakeResult, IntakeTarget } from './intake.ts';

/** Messages from the event loop to a thread that checks uploads. */
export type ToThread =
  | { kind: 'begin'; target: IntakeTarget }
  /** Raw bytes; the memory becomes the thread's. */
  | { kind: 'bytes'; bytes: Uint8Array }
  | { kind: 'end' };

/** Messages from the thread. */
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
  /** The system's code, such as ENOSPC. */
  code: string | undefined;
}
