import type { Case } from '../case.ts';
import { workerKill } from './worker-kill.ts';

/** All cases, in the order in which they run. */
export const CASES: readonly Case[] = [workerKill('directory'), workerKill('s3')];
